// Parameters and provenance: the parameters of each stage, its inputs, and the artifact that all its numbers come from.
const paramsText = params => Object.entries(params).filter(([, value]) => !(value !== null && typeof value === 'object')).map(([name, value]) => `${name} ${settingText(value)}`).join(' · ');

function parameters(run) {
  const configured = run.stages.filter(stage => Object.keys(stage.params).length > 0);
  if (configured.length === 0) return null;
  const plain = configured.filter((stage, i) => configured.findIndex(one => plainName(one.name) === plainName(stage.name)) === i);
  const rows = (plain.length < configured.length ? plain : configured).map(stage => [el('a', { href: `#${stageId(run, stage.name)}` }, plain.length < configured.length ? plainName(stage.name) : stage.name), stage.kind, paramsText(stage.params)]);
  return section(run, 'parameters', 'Parameters', plain.length < configured.length && el('p', { class: 'quiet' }, 'the first point of each stage; all points are below, under Provenance'),
    table(['stage', 'kind', 'parameters'], rows, { class: 'words' }));
}

function stageDetails(run, stage) {
  const list = pairs => el('dl', {}, pairs.filter(([, value]) => value !== '' && value !== null && value !== undefined).map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
  const metrics = Object.entries(stage.metrics || {}).flatMap(([port, values]) => Object.entries(values).map(([name, value]) => [`${port}: ${name}`, metricText(name, value), sourceLink(run, sourceOf(run, stage.name, port))]));
  return el('details', { class: 'stage', id: stageId(run, stage.name) },
    el('summary', {}, el('i', { class: `dot ${outcomeClass(stage.outcome)}` }), el('b', {}, stage.name), ` ${stage.kind}`, stage.about && ` – ${stage.about}`,
      el('span', { class: 'quiet' }, ` ${stage.outcome}${isNumber(stage.seconds) ? ` in ${durationText(stage.seconds)}` : ''}`)),
    list([['key', el('code', {}, stage.key || 'not known')], ['reason', stage.because], ['error', stage.error && el('pre', {}, stage.error)], ['attempt', stage.attempts > 1 ? `${stage.attempt} of ${stage.attempts}` : ''], ['executed by', stage.where && `${stage.where}${stage.jobs > 1 ? ` (after ${plural(stage.jobs - 1, 'earlier job')})` : ''}, which waited ${durationText(stage.queued || 0)} for a machine`], ['not stored', stage.not_kept],
      ['not deterministic', stage.nondeterministic ? 'the store has different bytes under this key' : ''],
      ['threads', isNumber(stage.seconds) ? stage.threads : ''], ['artifact', stage.bytes ? bytesText(stage.bytes) : 'none in the store'],
      ['reads', stage.inputs.length > 0 ? stage.inputs.map(input => el('div', {}, `${input.port}: `, el('a', { href: `#${stageId(run, input.from)}` }, `${input.from}.${input.from_port}`))) : '']]),
    metrics.length > 0 && table(['metric', 'value', 'from'], metrics),
    (stage.ports || []).length > 0 && table(['port', 'what', 'digest'], stage.ports.map(port => [port.port, port.shape || `${port.kind}, ${plural(port.tensors, 'tensor')}`, el('code', {}, port.digest)])),
    (stage.recipe || []).length > 0 && el('details', {}, el('summary', {}, 'recipe: everything that its key is computed from'), table(['part', 'value'], stage.recipe.map(([name, value]) => [name, el('code', {}, value)]), { class: 'words' })));
}

function provenance(run) {
  return section(run, 'provenance', 'Provenance', run.stages.length > 0 && [
    el('p', { class: 'quiet' }, 'Every number on this page names the artifact it comes from: stage and port, the key under which the store has it (the SHA-256 of everything that its bytes depend on) and the digest of its content. ',
      el('code', {}, 'satdl show KEY'), ' shows the same artifact.'),
    run.stages.map(stage => stageDetails(run, stage))]);
}
// A link to a stage opens what it leads to.
function openTarget() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === 'DETAILS') { target.open = true; target.scrollIntoView(); }
}
