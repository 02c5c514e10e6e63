// The DAG with the outcome of each stage, drawn at the places in the document; and the schedule with the cores in use. With many stages,
// all points of a stage in a sweep are one row of the schedule.
const MOST_ROWS = 60;

function outcomeOf(stages) {
  for (const outcome of ['failed', 'interrupted', 'unfinished', 'stopped', 'skipped', 'not reached', 'ran', 'resumed', 'reused']) {
    if (stages.some(stage => stage.outcome === outcome)) return outcome;
  }
  return 'not reached';
}
const outcomeClass = outcome => `outcome-${outcome.replace(/[^a-z]/g, '-')}`;

function boxSvg(run, box, i) {
  const stages = box.stages.map(at => run.stages[at]), outcome = outcomeOf(stages), seconds = stages.map(stage => stage.seconds).filter(isNumber);
  const spent = seconds.length > 0 ? durationText(seconds.reduce((a, b) => a + b, 0)) : '';
  const title = stages.slice(0, 12).map(stage => `${stage.name}${stage.about ? ` (${stage.about})` : ''}: ${stage.outcome}${isNumber(stage.seconds) ? `, ${durationText(stage.seconds)}` : ''}${stage.because ? `: ${stage.because}` : ''}`).join('\n');
  const light = event => { event.currentTarget.ownerSVGElement.querySelectorAll('.edges path').forEach(path => path.classList.toggle('lit', event.type === 'mouseenter' && [path.dataset.from, path.dataset.to].includes(String(i)))); };
  const shorten = (text, most) => (text.length > most ? text.slice(0, most - 1) + '…' : text);
  return svg('a', { href: `#${stageId(run, stages[0].name)}`, class: `box ${outcomeClass(outcome)}`, transform: `translate(${box.x},${box.y})`, mouseenter: light, mouseleave: light },
    svg('title', {}, title), svg('rect', { width: box.width, height: box.height, rx: 7 }), svg('rect', { class: 'mark', width: 5, height: box.height - 14, x: 6, y: 7, rx: 2.5 }),
    svg('text', { x: 18, y: 18, class: 'name' }, box.label),
    svg('text', { x: 18, y: 34, class: 'what' }, shorten(`${outcome}${spent ? ' · ' + spent : ''}`, Math.floor((box.width - 22) / 6.6))));
}

function graphSvg(run) {
  const { width, height, boxes, edges } = run.graph;
  const lines = edges.map(edge => svg('path', { d: edge.path, 'data-from': edge.from, 'data-to': edge.to }));
  const nodes = boxes.map((box, i) => boxSvg(run, box, i));
  return el('div', { class: 'scroll', tabindex: 0 }, svg('svg', { class: width > 900 ? 'graph wide' : 'graph', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': 'the DAG' }, svg('g', { class: 'edges' }, lines), nodes));
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
  const single = timed.length <= MOST_ROWS;
  const rows = timed.map(stage => ({ row: single ? stage.name : plainName(stage.name), name: stage.name, from: stage.started, to: Math.max(stage.started + stage.seconds, stage.started + end / 600), outcome: stage.outcome, threads: stage.threads, spent: durationText(stage.seconds), began: durationText(stage.started) }));
  for (const stage of timed.filter(one => one.queued > 0))
    rows.push({ row: single ? stage.name : plainName(stage.name), name: stage.name, from: Math.max(0, stage.started - stage.queued), to: stage.started, outcome: 'queued', threads: 0, spent: durationText(stage.queued), began: durationText(Math.max(0, stage.started - stage.queued)) });
  const order = [...new Set([...rows].sort((a, b) => a.from - b.from).map(row => row.row))];
  const unit = end > 7200 ? [3600, 'hours'] : end > 240 ? [60, 'minutes'] : [1, 'seconds'];
  for (const row of rows) { row.from /= unit[0]; row.to /= unit[0]; }
  const margin = width => Math.min(150, Math.round(width * 0.28));
  const scale = { domain: [0, Math.max(end, 1e-3) / unit[0]], nice: false };
  const outcomes = ['queued', 'ran', 'resumed', 'failed', 'stopped', 'interrupted', 'unfinished'].filter(name => rows.some(row => row.outcome === name));
  const bars = width => ({
    width: width - margin(width) - 16, height: { step: 19 }, data: { values: rows },
    mark: { type: 'bar', cornerRadius: 2, height: 12 },
    encoding: { x: { field: 'from', type: 'quantitative', title: null, scale, axis: { orient: 'top', format: '~r', tickCount: Math.max(3, Math.min(10, Math.floor(width / 90))) } }, x2: { field: 'to' },
      y: { field: 'row', type: 'nominal', sort: order, title: null, axis: { minExtent: margin(width), maxExtent: margin(width), labelLimit: margin(width) - 8, ticks: false, domain: false } },
      color: { field: 'outcome', type: 'nominal', title: null, scale: { domain: outcomes, range: outcomes.map(name => ({ ran: css('--ran'), queued: css('--idle'), resumed: css('--plot-6'), failed: css('--failed') }[name] || css('--stopped'))) }, legend: outcomes.length > 1 ? {} : null },
      tooltip: [{ field: 'name', title: 'stage' }, { field: 'outcome' }, { field: 'spent', title: 'took' }, { field: 'began', title: 'started at' }, { field: 'threads', title: 'cores' }] },
  });
  const here = timed.filter(stage => !stage.where);  // the others used the cores of other machines
  const steps = coresInUse(here).map(step => ({ at: step.at / unit[0], cores: step.cores }));
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
  const busy = here.reduce((sum, stage) => sum + stage.seconds * stage.threads, 0);
  return section(run, 'timeline', 'The schedule', plot('when each stage ran', bars), here.length > 0 && el('h4', {}, 'Cores in use'), here.length > 0 && plot('cores in use', use),
    el('p', { class: 'quiet' }, timed.length > here.length && `${plural(timed.length - here.length, 'stage')} ran as jobs of a batch system. `,
      here.length > 0 && `${plural(here.length, 'stage')} used ${durationText(busy)} of core time in ${durationText(end)}`,
      here.length > 0 && run.cores > 0 && ` on ${plural(run.cores, 'core')} (${(100 * busy / Math.max(end * run.cores, 1e-9)).toFixed(0)} % of them)`,
      here.length > 0 && '. ', 'Source: the run’s record', run.id && ` ${run.id}`, '.'));
}
