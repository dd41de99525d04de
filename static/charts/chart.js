/** A line chart over ECharts: takes traces and draws them. Knows nothing of sockets, samples and cursors. */
import { init } from '../vendor/echarts.esm.min.js';
import { inks } from '../base/theme.js';
import { extent, flat } from '../data/traces.js';
import { charts } from '../texts.js';
import { assignAxes, axisRange, axisWidth, placeAxes, tickText } from './axes.js';
import { timeTicks } from './times.js';

const FONT_PX = 11;
const TOP_PX = 22;
const BOTTOM_PX = 24;
/** A label may go that far into the room of the value axes: theirs are higher up. */
const LABEL_EDGE_PX = 4;

/**
 * @typedef {import('./axes.js').LineSpec & {color: string, dash: number[], isStep: boolean}} Line
 * @typedef {import('../data/traces.js').Trace} Trace
 * @typedef {{from: number, to: number, left: number, top: number, width: number, height: number,
 *   fullWidth: number}} Plot device ms; px inside the chart's own fullWidth
 */

function valueAxis(axis, index, ink) {
  const align = axis.side === 'left' ? 'right' : 'left';
  const padding = axis.side === 'left' ? [0, 8, 0, 0] : [0, 0, 0, 8];
  return {
    type: 'value',
    position: axis.side,
    name: axis.caption,
    nameGap: 9,
    nameMoveOverlap: false,
    nameTextStyle: { color: ink.label, fontSize: FONT_PX, align, padding },
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { show: index === 0, lineStyle: { color: ink.grid } },
    axisLabel: { color: ink.label, fontSize: FONT_PX, margin: 8, hideOverlap: false },
  };
}

function timeAxis(ink) {
  return {
    type: 'time',
    axisLine: { onZero: false, lineStyle: { color: ink.axis } },
    axisTick: { length: 4, lineStyle: { color: ink.axis } },
    splitLine: { show: false },
    axisLabel: { color: ink.label, fontSize: FONT_PX, hideOverlap: false },
  };
}

function lineSeries(line, index, yAxisIndex) {
  return {
    id: String(index),
    type: 'line',
    dimensions: ['t', 'v'],
    encode: { x: 0, y: 1 },
    yAxisIndex,
    step: line.isStep ? 'end' : false,
    showSymbol: false,
    silent: true,
    animation: false,
    connectNulls: false,
    emphasis: { disabled: true },
    itemStyle: { color: line.color },
    lineStyle: {
      color: line.color, width: 1.75, cap: line.dash.length ? 'butt' : 'round', join: 'round',
      type: line.dash.length ? line.dash : 'solid',
    },
    areaStyle: line.choices ? { color: line.color, opacity: 0.1 } : undefined,
  };
}

export class LineChart {
  #chart;
  #element;
  #axes;
  /** @type {(import('./axes.js').Range|null)[]} */
  #ranges = [];
  #grid = { left: 0, right: 0, offsets: [] };
  #traces = [];
  #window = { from: 0, to: 1 };
  /** Something else than window and traces changed. */
  #isStale = true;
  #resizer;

  /**
   * @param {HTMLElement} element in the page, with its size
   * @param {Line[]} lines @param {import('./axes.js').AxisWish[]} wishes
   * @param {() => void} onResize the chart has to be drawn anew
   */
  constructor(element, lines, wishes, onResize) {
    this.#element = element;
    this.#axes = assignAxes(lines, wishes);
    this.#chart = init(element, null, { renderer: 'canvas' });
    this.#resizer = new ResizeObserver(() => {
      const { clientWidth, clientHeight } = element;
      const isSame = clientWidth === this.#chart.getWidth() && clientHeight === this.#chart.getHeight();
      if (isSame || !clientWidth) return;
      this.#chart.resize({ silent: true });
      this.#isStale = true;
      onResize();
    });
    this.#resizer.observe(element);
    this.restyle(lines);
  }

  /** The same lines in other colours; they have to be drawn anew. @param {Line[]} lines */
  restyle(lines) {
    const ink = inks();
    const axisOf = (i) => this.#axes.findIndex((axis) => axis.lines.includes(i));
    this.#traces = [];
    this.#ranges = [];
    this.#isStale = true;
    this.#grid = { left: 0, right: 0, offsets: [] };
    this.#chart.setOption({
      animation: false,
      textStyle: { fontFamily: 'system-ui, sans-serif' },
      grid: { top: TOP_PX, bottom: BOTTOM_PX, outerBoundsMode: 'none' },
      xAxis: timeAxis(ink),
      yAxis: this.#axes.map((axis, i) => valueAxis(axis, i, ink)),
      series: lines.map((line, i) => lineSeries(line, i, axisOf(i))),
    }, { notMerge: true, lazyUpdate: true });
  }

  /** @returns {Plot} what is drawn where */
  get plot() {
    const { left, right } = this.#grid;
    const fullWidth = this.#chart.getWidth();
    const width = Math.max(1, fullWidth - left - right);
    const height = Math.max(1, this.#chart.getHeight() - TOP_PX - BOTTOM_PX);
    return { ...this.#window, left, top: TOP_PX, width, height, fullWidth };
  }

  /** @returns {{axis: import('./axes.js').AxisSpec, range: import('./axes.js').Range|null}[]} */
  get axes() {
    return this.#axes.map((axis, i) => ({ axis, range: this.#ranges[i] ?? null }));
  }

  /** @returns {HTMLCanvasElement|null} the lines and axes as they were drawn last, on a transparent ground */
  get canvas() {
    return this.#element.querySelector('canvas');
  }

  /** @returns {boolean} whether there is room to draw in */
  get hasPlace() {
    return this.#chart.getWidth() > 0;
  }

  /**
   * Tell ECharts what changed, and no more.
   * @param {(Trace|null)[]} traces by line; null for one that is switched off
   * @param {number} from device ms @param {number} to device ms
   * @returns {boolean} false where all of it is drawn already
   */
  draw(traces, from, to) {
    const series = traces.flatMap((trace, i) => {
      if (this.#traces[i] === trace) return [];
      return [{ id: String(i), data: trace ? flat(trace) : new Float64Array(0) }];
    });
    const isSame = !series.length && from === this.#window.from && to === this.#window.to;
    if (isSame && !this.#isStale) return false;
    const option = series.length ? { series, ...this.#yAxes(traces) } : {};
    this.#traces = traces;
    this.#window = { from, to };
    this.#isStale = false;
    this.#chart.setOption({ ...option, xAxis: this.#xAxis(from, to) }, { silent: true });
    return true;
  }

  dispose() {
    this.#resizer.disconnect();
    this.#chart.dispose();
  }

  /** Axes whose range or place changed, and the room for them. */
  #yAxes(traces) {
    const ranges = this.#axes.map((axis, i) => {
      const shown = axis.lines.map((line) => traces[line]).filter(Boolean);
      return axisRange(axis, this.#ranges[i] ?? null, extent(shown));
    });
    const grid = placeAxes(this.#axes, ranges.map((range, i) => axisWidth(this.#axes[i], range)));
    const areSame = this.#ranges.length > 0 && this.#axes.every((_, i) =>
      ranges[i] === this.#ranges[i] && grid.offsets[i] === this.#grid.offsets[i]);
    const isPlaced = grid.left === this.#grid.left && grid.right === this.#grid.right;
    this.#ranges = ranges;
    this.#grid = grid;
    return {
      ...(areSame ? {} : { yAxis: this.#axes.map((axis, i) => this.#yAxis(axis, ranges[i], grid.offsets[i])) }),
      ...(isPlaced ? {} : { grid: { left: grid.left, right: grid.right } }),
    };
  }

  #yAxis(axis, range, offset) {
    if (!range) return { min: 0, max: 1, interval: 0.25, offset, axisLabel: { show: false } };
    const formatter = (value) => tickText(axis, range, value);
    return { min: range.min, max: range.max, interval: range.step, offset, axisLabel: { show: true, formatter } };
  }

  #xAxis(from, to) {
    const { left, width } = this.plot;
    const { right } = this.#grid;
    const room = { left: left - LABEL_EDGE_PX, width, right: right - LABEL_EDGE_PX };
    const ticks = timeTicks(from, to, room, charts.date);
    const customValues = ticks.map(({ t }) => t);
    const formatter = (t) => ticks.find((tick) => tick.t === t)?.text ?? '';
    return { min: from, max: to, axisTick: { customValues }, axisLabel: { customValues, formatter } };
  }
}
