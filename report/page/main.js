// The page: each run, from the result down to its evidence.
function header(run, document_) {
  const facts = [run.id && ['run', run.id], ['began', timeText(run.wall_time)], ['took', isNumber(run.seconds) ? durationText(run.seconds) : 'not finished'],
    run.host && ['on', `${run.host}${run.cores > 0 ? `, ${plural(run.cores, 'core')}` : ''}`], run.file && ['file', run.file], ['satdl', run.version || document_.satdl]].filter(Boolean);
  if (!run.id) facts.splice(0, facts.length, ['file', run.file], ['satdl', document_.satdl]);
  return el('header', {}, el('h1', {}, run.dag || 'a run'), el('p', { class: 'facts' }, facts.map(([name, value]) => el('span', {}, `${name} `, el('b', {}, value)))),
    run.missing.length > 0 && el('div', { class: 'notice missing' }, el('b', {}, 'What is missing'), el('ul', {}, run.missing.slice(0, 20).map(text => el('li', {}, text))),
      run.missing.length > 20 && el('details', {}, el('summary', {}, `and ${run.missing.length - 20} more`), el('ul', {}, run.missing.slice(20).map(text => el('li', {}, text))))));
}

function prepare(run, i) {
  run.anchor = `r${i}`;
  run.byName = new Map(run.stages.map(stage => [stage.name, stage]));
  run.read = new Set(run.stages.flatMap(stage => stage.inputs.map(input => input.from)));
}

// The metrics of the stages without consumers, of several runs side by side.
function sideBySide(runs) {
  const names = new Map();
  runs.forEach((run, i) => run.stages.filter(stage => !run.read.has(stage.name)).forEach(stage => Object.entries(stage.metrics || {}).forEach(([port, values]) => Object.entries(values).forEach(([name, value]) => {
    const row = `${stage.name}.${name}`;
    if (!names.has(row)) names.set(row, []);
    names.get(row)[i] = el('a', { href: `#${stageId(run, stage.name)}`, title: `key ${stage.key}` }, metricText(name, value));
  }))));
  return el('section', { id: 'side-by-side' }, el('h2', {}, 'Side by side'),
    table(['', ...runs.map(run => run.id || run.file)], [...names].map(([name, cells]) => [name, ...runs.map((_, i) => cells[i] || '–')])));
}

// What `satdl compare` found: the sides, the parameters that differ, the metrics with their differences from the first side.
function compared(comparison) {
  const names = comparison.sides.map(side => side.name), signed = value => (value > 0 ? '+' : '') + numberText(value);
  const differenceText = one => (!isNumber(one.mean) ? '–' : signed(one.mean) + (isNumber(one.low) ? ` (${signed(one.low)} to ${signed(one.high)}${one.told_from_zero ? '' : ' *'})` : ''));
  const differences = comparison.metrics.flatMap(metric => metric.differences);
  return el('section', { id: 'compared' }, el('h2', {}, 'Compared'),
    comparison.sides.map(side => el('p', {}, el('b', {}, side.name), ` ${side.text}`, side.problems.map(text => ` (${text})`))),
    comparison.params.length > 0 ? table(['parameter', ...names], comparison.params.map(param => [param.param, ...param.values.map(values => values.join(', '))])) : el('p', {}, 'No parameter differs'),
    table(['metric', names[0], ...names.slice(1).flatMap(name => [name, `${name} - ${names[0]}`])],
      comparison.metrics.map(metric => [metric.metric, sampleText(metric.sides[0]), ...metric.differences.flatMap((one, i) => [sampleText(metric.sides[i + 1]), differenceText(one)])])),
    differences.some(one => isNumber(one.low)) && el('p', { class: 'quiet' }, 'mean ± standard deviation; in parentheses the 95 % interval of the mean difference over the repetitions that both sides have' + (differences.some(one => one.told_from_zero === false) ? '; * cannot be distinguished from zero' : '')));
}

function page() {
  const document_ = JSON.parse(document.getElementById('data').textContent), main = document.getElementById('report');
  document_.runs.forEach(prepare);
  if (document_.compared) main.append(compared(document_.compared));
  else if (document_.runs.length > 1) main.append(sideBySide(document_.runs));
  for (const run of document_.runs) {
    const swept = sweep(run);
    const sections = [swept, verdict(run), curves(run), matrices(run), differing(run), noise(run), wrongest(run), graph(run), timeline(run), parameters(run), provenance(run)].filter(Boolean);
    main.append(el('article', {}, header(run, document_), el('nav', {}, sections.map(one => el('a', { href: `#${one.id}` }, one.dataset.title))), sections));
  }
  main.append(el('footer', {}, `written by satdl ${document_.satdl} on ${document_.made}; self-contained`));
  window.addEventListener('hashchange', openTarget);
  openTarget();
  drawAll();
}
page();
