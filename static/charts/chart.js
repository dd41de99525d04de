/** A line chart over ECharts: takes traces and draws them. Knows nothing of sockets, samples and cursors. */
import { init } from '../vendor/echarts.esm.min.js';
import { element } from '../base/dom.js';
import { inks } from '../base/theme.js';
import { extent, flat } from '../data/traces.js';
import { charts } from '../texts.js';
import { assignAxes, axisRange, placeAxes, tickText, timeTicks } from './axes.js';
import { drawUnderlay } from './canvases.js';

const TOP_PX = 22;
const BOTTOM_PX = 24;

/**
 * @typedef {import('./axes.js').LineSpec & {color: string, dash: number[], isStep: boolean}} Line
 * @typedef {import('../data/traces.js').Trace} Trace
 * @typedef {{from: number, to: number, left: number, right: number, top: number, width: number, height: number,
 *   fullWidth: number}} Plot device ms; px inside the chart's own fullWidth
 */

/** What all labels have: they are placed here, so ECharts need not look for overlaps. */
const labels = ({ label: color }) => ({ color, fontSize: 11, hideOverlap: false });

function valueAxis({ side, caption }, isFirst, ink) {
  const isLeft = side === 'left';
  return {
    position: side,
    name: caption,
    nameGap: 9,
    nameMoveOverlap: false,
    nameTextStyle: { ...labels(ink), align: isLeft ? 'right' : 'left', padding: isLeft ? [0, 8, 0, 0] : [0, 0, 0, 8] },
    splitLine: { show: isFirst, lineStyle: { color: ink.grid } },
    axisLabel: labels(ink),
  };
}

function timeAxis(ink) {
  const lineStyle = { color: ink.axis };
  return {
    type: 'time',
    axisLine: { onZero: false, lineStyle },
    axisTick: { lineStyle },
    axisLabel: labels(ink),
  };
}

function lineSeries({ color, dash, isStep, choices }, id, yAxisIndex) {
  return {
    id,
    type: 'line',
    dimensions: ['t', 'v'],
    yAxisIndex,
    step: isStep && 'end',
    showSymbol: false,
    silent: true,
    emphasis: { disabled: true },
    lineStyle: { color, width: 1.75, type: dash.length ? dash : 'solid' },
    areaStyle: choices && { color, opacity: 0.1 },
  };
}

export class LineChart {
  /** Under the lines, the same size. */
  #underlay = element('canvas', { class: 'underlay' });
  #chart;
  #lines;
  #limits;
  #axes;
  /** By axis. @type {(import('./axes.js').Range|null)[]} */
  #ranges = [];
  #room = { left: 0, right: 0 };
  /** Ranges and places of the axes as ECharts has them; '' where all has to be drawn anew. */
  #layout = '';
  /** By line, as ECharts has them. @type {(Trace|null)[]} */
  #traces = [];
  #window = { from: 0, to: 1 };
  #resizer;

  /**
   * @param {HTMLElement} node in the page, with its size @param {Line[]} lines
   * @param {import('../data/api.js').Group} group with axes and limits
   * @param {() => void} onResize the chart has to be drawn anew
   */
  constructor(node, lines, { axes, limits }, onResize) {
    this.#lines = lines;
    this.#limits = limits ?? [];
    this.#axes = assignAxes(lines, axes);
    node.before(this.#underlay);
    this.#chart = init(node);
    this.#resizer = new ResizeObserver(() => {
      const isSame = node.clientWidth === this.#chart.getWidth() && node.clientHeight === this.#chart.getHeight();
      if (isSame || !node.clientWidth) return;
      this.#chart.resize({ silent: true });
      this.#layout = '';
      onResize();
    });
    this.#resizer.observe(node);
    this.restyle();
  }

  /** The lines may have other colours now; they have to be drawn anew. */
  restyle() {
    const ink = inks();
    this.#traces = [];
    this.#layout = '';
    this.#chart.setOption({
      animation: false,
      textStyle: { fontFamily: 'system-ui, sans-serif' },
      grid: { top: TOP_PX, bottom: BOTTOM_PX, outerBoundsMode: 'none' },
      xAxis: timeAxis(ink),
      yAxis: this.#axes.map((axis, i) => valueAxis(axis, i === 0, ink)),
      series: this.#lines.map((line, i) => lineSeries(line, i, this.#axes.findIndex((axis) => axis.lines.includes(i)))),
    }, { notMerge: true, lazyUpdate: true });
  }

  /** @returns {Plot} what is drawn where */
  get plot() {
    const { left, right } = this.#room;
    const fullWidth = this.#chart.getWidth();
    const width = Math.max(1, fullWidth - left - right);
    const height = Math.max(1, this.#chart.getHeight() - TOP_PX - BOTTOM_PX);
    return { ...this.#window, left, right, top: TOP_PX, width, height, fullWidth };
  }

  /** @returns {HTMLCanvasElement[]} what was drawn last, the lower one first, on a transparent ground */
  get layers() {
    return [this.#underlay, ...this.#chart.getDom().querySelectorAll('canvas')];
  }

  /**
   * Tell ECharts what changed, and no more.
   * @param {(Trace|null)[]} traces by line; null for one that is switched off
   * @param {number} from device ms @param {number} to device ms
   * @returns {boolean} false where all of it is drawn already
   */
  draw(traces, from, to) {
    const data = (trace) => (trace ? flat(trace) : new Float64Array(0));
    const series = traces.flatMap((trace, id) => (this.#traces[id] === trace ? [] : [{ id, data: data(trace) }]));
    if (this.#layout && !series.length && from === this.#window.from && to === this.#window.to) return false;
    this.#window = { from, to };
    this.#traces = traces;
    const yAxes = this.#yAxes();
    this.#chart.setOption({ ...(series.length && { series }), ...yAxes, xAxis: this.#xAxis() }, { silent: true });
    const axes = this.#axes.map((axis, i) => ({ axis, range: this.#ranges[i] }));
    drawUnderlay(this.#underlay, this.plot, axes, this.#limits, this.#lines, traces);
    return true;
  }

  dispose() {
    this.#resizer.disconnect();
    this.#chart.dispose();
  }

  /** All axes where the range or the place of one changed, and the room for them. */
  #yAxes() {
    this.#ranges = this.#axes.map((axis, i) => {
      const shown = axis.lines.map((line) => this.#traces[line]).filter(Boolean);
      return axisRange(axis, this.#ranges[i] ?? null, extent(shown));
    });
    const { offsets, ...room } = placeAxes(this.#axes, this.#ranges);
    const layout = JSON.stringify([this.#ranges, offsets, room]);
    if (layout === this.#layout) return {};
    this.#layout = layout;
    this.#room = room;
    return { grid: room, yAxis: this.#axes.map((axis, i) => this.#yAxis(axis, this.#ranges[i], offsets[i])) };
  }

  #yAxis(axis, range, offset) {
    const { min, max, step: interval } = range ?? { min: 0, max: 1, step: 0.25 };
    const formatter = (value) => (range ? tickText(axis, range, value) : '');
    return { min, max, interval, offset, axisLabel: { formatter } };
  }

  #xAxis() {
    const { from: min, to: max } = this.#window;
    const ticks = new Map(timeTicks(min, max, this.plot, charts.date).map(({ t, text }) => [t, text]));
    const customValues = [...ticks.keys()];
    const formatter = (t) => ticks.get(t) ?? '';
    return { min, max, axisTick: { customValues }, axisLabel: { customValues, formatter } };
  }
}
