/** A line chart over ECharts: takes flat lines and draws them. Knows nothing of sockets and samples. */
import { init } from '../vendor/echarts.esm.min.js';
import { assignAxes, axisRange, tickText } from './axes.js';
import { formatTime } from '../base/format.js';
import { extent, flatten } from '../data/lines.js';
import { inks } from '../base/theme.js';

const FONT_PX = 11;
const CHAR_PX = 6.4;
const EDGE_PX = 12;
/** Narrower plots have room for a time every 30 s only. */
const WIDE_PX = 640;
/** A label that near to the edge of the window would stick out. */
const EDGE_MS = 9000;

/**
 * @typedef {import('./axes.js').LineSpec & {color: string, isDashed: boolean}} Line
 * @typedef {import('../data/lines.js').Point} Point
 */

function valueAxis(index, ink) {
  return {
    type: 'value',
    position: index ? 'right' : 'left',
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { show: index === 0, lineStyle: { color: ink.grid } },
    axisLabel: { color: ink.label, fontSize: FONT_PX, margin: 8 },
  };
}

function timeAxis(ink) {
  return {
    type: 'time',
    axisLine: { onZero: false, lineStyle: { color: ink.axis } },
    axisTick: { length: 4, lineStyle: { color: ink.axis } },
    splitLine: { show: false },
    axisLabel: {
      color: ink.label,
      fontSize: FONT_PX,
      formatter: formatTime,
    },
  };
}

function lineSeries(line, index, yAxisIndex) {
  return {
    id: String(index),
    type: 'line',
    dimensions: ['t', 'v'],
    encode: { x: 0, y: 1 },
    yAxisIndex,
    step: line.choices ? 'end' : false,
    symbol: 'none',
    silent: true,
    animation: false,
    connectNulls: false,
    emphasis: { disabled: true },
    itemStyle: { color: line.color },
    lineStyle: { color: line.color, width: 1.75, cap: 'round', join: 'round', type: line.isDashed ? [6, 4] : 'solid' },
    areaStyle: line.choices ? { color: line.color, opacity: 0.1 } : undefined,
  };
}

function baseOption(lines, axes, ink, tooltip) {
  const axisOf = (i) => axes.findIndex((axis) => axis.lines.includes(i));
  return {
    animation: false,
    textStyle: { fontFamily: 'system-ui, sans-serif' },
    xAxis: timeAxis(ink),
    yAxis: axes.map((_, index) => valueAxis(index, ink)),
    series: lines.map((line, i) => lineSeries(line, i, axisOf(i))),
    tooltip: {
      trigger: 'axis',
      confine: true,
      transitionDuration: 0,
      padding: 0,
      borderWidth: 0,
      backgroundColor: 'transparent',
      extraCssText: 'box-shadow: none;',
      axisPointer: { type: 'line', lineStyle: { color: ink.pointer, type: 'solid', width: 1 } },
      formatter: (params) => tooltip(params[0].axisValue),
    },
  };
}

function labelWidth(axis, range) {
  let longest = 3;
  const { min, max, step } = range ?? { min: 0, max: -1, step: 1 };
  for (let value = min; value <= max + step / 4; value += step) {
    longest = Math.max(longest, tickText(axis, range, value).length);
  }
  return Math.ceil(longest * CHAR_PX) + EDGE_PX;
}

export class LineChart {
  #chart;
  #axes;
  #ranges = [];
  #tooltip;
  #resizer;

  /**
   * @param {HTMLElement} element
   * @param {Line[]} lines
   * @param {(t: number) => HTMLElement} tooltip names and values there are text nodes, never HTML
   */
  constructor(element, lines, tooltip) {
    this.#tooltip = tooltip;
    this.#axes = assignAxes(lines);
    this.#chart = init(element, null, { renderer: 'canvas' });
    this.#resizer = new ResizeObserver(() => this.#chart.resize());
    this.#resizer.observe(element);
    this.restyle(lines);
  }

  /** What to write above the axes. */
  get captions() {
    return this.#axes.map((axis) => axis.caption);
  }

  /** The same lines in other colours. @param {Line[]} lines */
  restyle(lines) {
    const option = baseOption(lines, this.#axes, inks(), this.#tooltip);
    this.#chart.setOption({ ...option, grid: this.#grid() }, { notMerge: true });
  }

  /**
   * @param {Point[][]} lists by line; empty for one that is switched off
   * @param {number} from device ms @param {number} to device ms
   */
  draw(lists, from, to) {
    this.#ranges = this.#axes.map((axis, i) => {
      const shown = axis.lines.map((line) => lists[line]);
      return axisRange(axis, this.#ranges[i] ?? null, extent(shown));
    });
    this.#chart.setOption({
      grid: this.#grid(),
      xAxis: this.#xAxis(from, to),
      yAxis: this.#axes.map((axis, i) => this.#yAxis(axis, this.#ranges[i])),
      series: lists.map((list, i) => ({ id: String(i), data: flatten(list) })),
    });
  }

  dispose() {
    this.#resizer.disconnect();
    this.#chart.dispose();
  }

  /** Round times, well inside the window: labels slide with the data and never overlap. */
  #xAxis(from, to) {
    const step = this.#chart.getWidth() >= WIDE_PX ? 15_000 : 30_000;
    const customValues = [];
    for (let t = Math.ceil((from + EDGE_MS) / step) * step; t <= to - EDGE_MS; t += step) customValues.push(t);
    return { min: from, max: to, axisTick: { customValues }, axisLabel: { customValues } };
  }

  #yAxis(axis, range) {
    if (!range) return { min: 0, max: 1, interval: 0.25, axisLabel: { show: false } };
    const formatter = (value) => tickText(axis, range, value);
    return { min: range.min, max: range.max, interval: range.step, axisLabel: { show: true, formatter } };
  }

  /** Room for the longest label of each side, in steps so that the plot does not shake. */
  #grid() {
    const [left, right] = this.#axes.map((axis, i) => labelWidth(axis, this.#ranges[i]));
    return { left, right: right ?? EDGE_PX, top: 8, bottom: 24, outerBoundsMode: 'none' };
  }
}
