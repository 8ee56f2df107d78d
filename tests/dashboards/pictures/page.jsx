// Draws one dashboard as Grafana would: its layout, and each panel by Grafana's own component for it, with the
// panel's own units, thresholds, mappings and legends. The state timeline is in none of Grafana's packages; here it is
// bars in the colours that Grafana's display processor gives.
//
// `window.input`: {board, variables: {name: text}, from, to, step (seconds), answers: {panel's id: [Prometheus's
// `data` a query]}}. When all is drawn, `window.drawn` is {panel's id: what it shows in words}.

import 'uplot/dist/uPlot.min.css';
import { FieldType, ThemeContext, createTheme, dateTime, getDisplayProcessor, toDataFrame } from '@grafana/data';
import { BigValue, GlobalStyles, PanelChrome, TimeSeries, VizLegend } from '@grafana/ui';
import { createRoot } from 'react-dom/client';

const GRID = { columns: 24, width: 1600, cell: 30, gap: 8 };
const DEFAULT_COLOR = { timeseries: 'palette-classic', stat: 'thresholds', 'state-timeline': 'thresholds' };
const theme = createTheme({ colors: { mode: 'dark' } });
const { board, variables, from, to, step, answers } = window.input;
const drawn = {};

function legend(format, labels) {
  return format.replace(/\{\{(\w+)\}\}/g, (_, label) => labels[label] ?? '');
}

// A frame a series, as the Prometheus data source makes them.
function frames(panel) {
  const color = { mode: DEFAULT_COLOR[panel.type] };
  let seriesIndex = 0;
  return panel.targets.flatMap((target, index) =>
    answers[panel.id][index].result.map((series) => {
      const samples = series.values ?? [series.value];
      const name = legend(target.legendFormat, series.metric);
      const frame = toDataFrame({
        fields: [
          { name: 'Time', type: FieldType.time, config: { interval: step * 1000 }, values: samples.map(([time]) => time * 1000) },
          {
            name: 'Value', type: FieldType.number, labels: series.metric, values: samples.map(([, value]) => Number(value)),
            config: { color, ...panel.fieldConfig.defaults, displayName: name || undefined, displayNameFromDS: name },
          },
        ],
      });
      for (const field of frame.fields) {
        field.state = { seriesIndex: seriesIndex };
        field.display = getDisplayProcessor({ field, theme, timeZone: 'utc' });
      }
      seriesIndex += 1;
      return frame;
    }));
}

function Graph({ panel, data, width, height }) {
  const range = { from: dateTime(from * 1000), to: dateTime(to * 1000) };
  return (
    <TimeSeries frames={data} structureRev={1} timeRange={{ ...range, raw: range }} timeZone="utc" width={width} height={height}
      legend={{ calcs: [], ...panel.options.legend }}>
      {() => <></>}
    </TimeSeries>
  );
}

function Stat({ data, width, height }) {
  const value = data[0].fields[1];
  return <BigValue value={value.display(value.values[value.values.length - 1])} width={width} height={height}
    colorMode="value" graphMode="none" textMode="auto" justifyMode="auto" theme={theme} />;
}

function Timeline({ panel, data, width, height }) {
  const texts = new Map();
  const row = Math.min((height - 30) / data.length, 60);
  const label = Math.min(200, width / 3);
  const at = (time) => ((time / 1000 - from) / (to - from)) * (width - label);
  const bars = data.map((frame, index) => {
    const [times, values] = frame.fields;
    return (
      <div key={index} style={{ position: 'relative', height: row, fontSize: 12, lineHeight: `${row}px`, whiteSpace: 'nowrap' }}>
        <div style={{ width: label - 8, overflow: 'hidden', textOverflow: 'ellipsis', textAlign: 'right' }}>{values.config.displayName}</div>
        {times.values.map((time, i) => {
          const shown = values.display(values.values[i]);
          texts.set(shown.text, shown.color);
          return <div key={i} style={{ position: 'absolute', top: row * 0.1, height: row * 0.8, left: label + at(time),
            width: at(from * 1000 + step * 1000) + 0.5, background: shown.color }} />;
        })}
      </div>);
  });
  const items = [...texts].map(([text, color]) => ({ label: text, color, yAxis: 1 }));
  return <div>{bars}<VizLegend displayMode="list" placement="bottom" items={items} /></div>;
}

const KINDS = { timeseries: Graph, stat: Stat, 'state-timeline': Timeline };

function Panel({ panel }) {
  const unit = GRID.width / GRID.columns;
  const { x, y, w, h } = panel.gridPos;
  const box = { position: 'absolute', left: x * unit, top: y * (GRID.cell + GRID.gap), width: w * unit - GRID.gap };
  if (panel.type === 'row') {
    return <div style={{ ...box, lineHeight: `${GRID.cell}px`, fontSize: 16, fontWeight: 500 }}>⌄ {panel.title}</div>;
  }
  const height = h * (GRID.cell + GRID.gap) - GRID.gap;
  const data = frames(panel);
  const Kind = KINDS[panel.type];
  drawn[panel.id] = data.map(({ fields: [, value] }) =>
    [value.config.displayName, value.display(value.values[value.values.length - 1])].map((part) => (part?.text !== undefined
      ? `${part.prefix ?? ''}${part.text}${part.suffix ?? ''}` : part ?? '')).join(' '));
  return (
    <div style={box}>
      <PanelChrome title={panel.title} description={panel.description} width={box.width} height={height}>
        {(width, inner) => data.length === 0
          ? <div style={{ textAlign: 'center', lineHeight: `${inner}px` }}>{panel.fieldConfig.defaults.noValue ?? 'No data'}</div>
          : <Kind panel={panel} data={data} width={width} height={inner} />}
      </PanelChrome>
    </div>);
}

function Board() {
  const bottom = Math.max(...board.panels.map(({ gridPos: { y, h } }) => y + h));
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div style={{ padding: 16, width: GRID.width + 32 }}>
        <h3>{board.title}</h3>
        <p>{Object.entries(variables).map(([name, text]) => <span key={name} style={{ marginRight: 24 }}>{name}: <b>{text}</b></span>)}</p>
        <div style={{ position: 'relative', height: bottom * (GRID.cell + GRID.gap) }}>
          {board.panels.map((panel) => <Panel key={panel.id} panel={panel} />)}
        </div>
      </div>
    </ThemeContext.Provider>);
}

createRoot(document.getElementById('root')).render(<Board />);
setTimeout(() => { window.drawn = drawn; }, 1000);
