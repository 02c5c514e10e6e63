// The DAG with what became of each stage, and the schedule with the cores in use. Of more than 60 stages, those that differ
// only by their point of a sweep are drawn as one.
const MOST_BOXES = 60;
const BOX = { width: 148, height: 46, across: 30, down: 16 };

function boxesOf(run) {
  const single = run.stages.length <= MOST_BOXES, boxes = new Map();
  for (const stage of run.stages) {
    const name = single ? stage.name : plainName(stage.name);
    if (!boxes.has(name)) boxes.set(name, { name, stages: [], from: new Set() });
    boxes.get(name).stages.push(stage);
    for (const input of stage.inputs) boxes.get(name).from.add(single ? input.from : plainName(input.from));
  }
  return boxes;
}

// Each box behind all that it reads; within a column, near what it reads.
function place(boxes) {
  const rank = new Map(), columns = [];
  const rankOf = box => {
    if (!rank.has(box)) {
      rank.set(box, 0);
      rank.set(box, Math.max(0, ...[...box.from].filter(name => boxes.has(name) && boxes.get(name) !== box).map(name => rankOf(boxes.get(name)) + 1)));
    }
    return rank.get(box);
  };
  for (const box of boxes.values()) (columns[rankOf(box)] = columns[rankOf(box)] || []).push(box);
  columns.forEach((column, c) => {
    const wish = box => { const from = [...box.from].map(name => boxes.get(name)).filter(one => one && one.row !== undefined); return from.length > 0 ? mean(from.map(one => one.row)) : 0; };
    if (c > 0) column.sort((a, b) => wish(a) - wish(b));
    column.forEach((box, row) => { box.column = c; box.row = row - (column.length - 1) / 2; });
  });
  return columns;
}

function outcomeOf(box) {
  for (const outcome of ['failed', 'interrupted', 'unfinished', 'stopped', 'skipped', 'not reached', 'ran', 'resumed', 'reused']) {
    if (box.stages.some(stage => stage.outcome === outcome)) return outcome;
  }
  return 'not reached';
}
const outcomeClass = outcome => `outcome-${outcome.replace(/[^a-z]/g, '-')}`;

function graphSvg(run) {
  const boxes = boxesOf(run), columns = place(boxes), tallest = Math.max(...columns.map(column => column.length));
  const width = columns.length * (BOX.width + BOX.across) - BOX.across + 4, height = tallest * (BOX.height + BOX.down) - BOX.down + 4;
  const x = box => 2 + box.column * (BOX.width + BOX.across), y = box => height / 2 + box.row * (BOX.height + BOX.down) - BOX.height / 2;
  const edges = [...boxes.values()].flatMap(box => [...box.from].filter(name => boxes.has(name) && boxes.get(name) !== box).map(name => {
    const from = boxes.get(name), x1 = x(from) + BOX.width, y1 = y(from) + BOX.height / 2, x2 = x(box), y2 = y(box) + BOX.height / 2, half = Math.max(BOX.across / 2, (x2 - x1) / 2);
    return svg('path', { d: `M${x1},${y1} C${x1 + half},${y1} ${x2 - half},${y2} ${x2},${y2}`, 'data-from': name, 'data-to': box.name });
  }));
  const shorten = (text, most) => (text.length > most ? text.slice(0, most - 1) + '…' : text);
  const nodes = [...boxes.values()].map(box => {
    const outcome = outcomeOf(box), seconds = box.stages.map(stage => stage.seconds).filter(isNumber);
    const spent = seconds.length > 0 ? durationText(seconds.reduce((a, b) => a + b, 0)) : '';
    const title = box.stages.slice(0, 12).map(stage => `${stage.name}${stage.about ? ` (${stage.about})` : ''}: ${stage.outcome}${isNumber(stage.seconds) ? `, ${durationText(stage.seconds)}` : ''}${stage.because ? `: ${stage.because}` : ''}`).join('\n');
    const light = event => { event.currentTarget.ownerSVGElement.querySelectorAll('path').forEach(path => path.classList.toggle('lit', event.type === 'mouseenter' && (path.dataset.from === box.name || path.dataset.to === box.name))); };
    return svg('a', { href: `#${stageId(run, box.stages[0].name)}`, class: `box ${outcomeClass(outcome)}`, transform: `translate(${x(box)},${y(box)})`, mouseenter: light, mouseleave: light },
      svg('title', {}, title), svg('rect', { width: BOX.width, height: BOX.height, rx: 7 }), svg('rect', { class: 'mark', width: 5, height: BOX.height - 14, x: 6, y: 7, rx: 2.5 }),
      svg('text', { x: 18, y: 19, class: 'name' }, shorten(box.stages.length > 1 ? `${box.name} ×${box.stages.length}` : box.name, 18)),
      svg('text', { x: 18, y: 35, class: 'what' }, shorten(`${outcome}${spent ? ' · ' + spent : ''}`, 19)));
  });
  return el('div', { class: 'scroll', tabindex: 0 }, svg('svg', { class: width > 900 ? 'graph wide' : 'graph', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': 'the DAG' }, svg('g', { class: 'edges' }, edges), nodes));
}

function graph(run) {
  const counts = new Map();
  for (const stage of run.stages) counts.set(stage.outcome, (counts.get(stage.outcome) || 0) + 1);
  const failures = run.stages.filter(stage => stage.error);
  return section(run, 'graph', 'The DAG', el('p', { class: 'legend' }, [...counts].map(([outcome, count]) => el('span', { class: outcomeClass(outcome) }, el('i', {}), `${count} ${outcome}`))),
    run.stages.length > 0 && graphSvg(run), failures.map(stage => el('div', { class: 'notice' }, el('b', {}, `${stage.name}: `), el('pre', {}, stage.error))));
}

// How many cores the running stages may use, from each start and end to the next.
function coresInUse(stages) {
  const changes = stages.flatMap(stage => [[stage.started, stage.threads], [stage.started + stage.seconds, -stage.threads]]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let cores = 0;
  const steps = [{ at: 0, cores: 0 }];
  for (const [at, change] of changes) { cores += change; steps.push({ at, cores }); }
  return steps;
}

function timeline(run) {
  const end = isNumber(run.seconds) ? run.seconds : Math.max(0, ...run.stages.filter(stage => isNumber(stage.started)).map(stage => stage.started + (stage.seconds || 0)));
  const timed = run.stages.filter(stage => isNumber(stage.started)).map(stage => ({ ...stage, seconds: isNumber(stage.seconds) ? stage.seconds : Math.max(0, end - stage.started) }));
  if (timed.length === 0) return null;
  const single = timed.length <= MOST_BOXES;
  const rows = timed.map(stage => ({ row: single ? stage.name : plainName(stage.name), name: stage.name, from: stage.started, to: Math.max(stage.started + stage.seconds, stage.started + end / 600), outcome: stage.outcome, threads: stage.threads, spent: durationText(stage.seconds), began: durationText(stage.started) }));
  const order = [...new Set([...rows].sort((a, b) => a.from - b.from).map(row => row.row))];
  const unit = end > 7200 ? [3600, 'hours'] : end > 240 ? [60, 'minutes'] : [1, 'seconds'];
  for (const row of rows) { row.from /= unit[0]; row.to /= unit[0]; }
  const margin = width => Math.min(150, Math.round(width * 0.28));
  const scale = { domain: [0, Math.max(end, 1e-3) / unit[0]], nice: false };
  const outcomes = ['ran', 'resumed', 'failed', 'stopped', 'interrupted', 'unfinished'].filter(name => rows.some(row => row.outcome === name));
  const bars = width => ({
    width: width - margin(width) - 16, height: { step: 19 }, data: { values: rows },
    mark: { type: 'bar', cornerRadius: 2, height: 12 },
    encoding: { x: { field: 'from', type: 'quantitative', title: null, scale, axis: { orient: 'top', format: '~r', tickCount: Math.max(3, Math.min(10, Math.floor(width / 90))) } }, x2: { field: 'to' },
      y: { field: 'row', type: 'nominal', sort: order, title: null, axis: { minExtent: margin(width), maxExtent: margin(width), labelLimit: margin(width) - 8, ticks: false, domain: false } },
      color: { field: 'outcome', type: 'nominal', title: null, scale: { domain: outcomes, range: outcomes.map(name => ({ ran: css('--ran'), resumed: css('--plot-6'), failed: css('--failed') }[name] || css('--stopped'))) }, legend: outcomes.length > 1 ? {} : null },
      tooltip: [{ field: 'name', title: 'stage' }, { field: 'outcome' }, { field: 'spent', title: 'took' }, { field: 'began', title: 'started at' }, { field: 'threads', title: 'cores' }] },
  });
  const steps = coresInUse(timed).map(step => ({ at: step.at / unit[0], cores: step.cores }));
  const most = Math.max(run.cores, ...steps.map(step => step.cores));
  const use = width => ({
    width: width - margin(width) - 16, height: 64, data: { values: steps },
    layer: [
      { mark: { type: 'area', interpolate: 'step-after', color: css('--plot-1'), opacity: 0.35, line: { color: css('--plot-1'), interpolate: 'step-after', strokeWidth: 1 } },
        encoding: { x: { field: 'at', type: 'quantitative', title: unit[1], scale, axis: { grid: false, format: '~r', tickCount: Math.max(3, Math.min(10, Math.floor(width / 90))) } },
          y: { field: 'cores', type: 'quantitative', title: null, scale: { domain: [0, most], nice: false }, axis: { tickMinStep: 1, tickCount: Math.min(4, most), format: 'd', domain: false, ticks: false, minExtent: margin(width), maxExtent: margin(width) } } } },
      ...(run.cores > 0 ? [{ data: { values: [{ cores: run.cores }] }, mark: { type: 'rule', color: css('--failed'), strokeDash: [4, 3] }, encoding: { y: { field: 'cores', type: 'quantitative' }, tooltip: [{ field: 'cores', title: 'cores of the machine' }] } }] : []),
    ],
  });
  const busy = timed.reduce((sum, stage) => sum + stage.seconds * stage.threads, 0);
  return section(run, 'timeline', 'The schedule', plot('when each stage ran', bars), el('h4', {}, 'Cores in use'), plot('cores in use', use),
    el('p', { class: 'quiet' }, `${plural(timed.length, 'stage')} ran for ${durationText(busy)} of one core in ${durationText(end)}`, run.cores > 0 && ` on ${plural(run.cores, 'core')} (${(100 * busy / Math.max(end * run.cores, 1e-9)).toFixed(0)} % of them)`,
      '. Source: the run’s record', run.id && ` ${run.id}`, '.'));
}
