import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {RELEASES} from '../../../hosts/releases.js'
import {renderSection, replaceSection, SCENES, sectionOf} from '../../../hosts/report.js'
import {COLUMNS, type Column, type Row} from '../../../hosts/row.js'
import {parseRuns, printRuns} from '../../../hosts/runs.js'
import {compareRows, keyOf, parseTable, printTable, updateRows} from '../../../hosts/table.js'
import {packageRoot} from '../../../src/host/paths.js'

const NOTHING = Object.fromEntries(COLUMNS.map((column) => [column, '-'])) as Record<Column, string>
const row = (account: string, cells: Partial<Record<Column, string>> = {}): Row => ({
  ...{host: 'noble', scene: 'shipped', account, engine: 'auto', cells: {...NOTHING, ...cells}},
})

const text = (path: string) => readFileSync(join(packageRoot(), path), 'utf8')

test('a table that is printed and parsed is the same', () => {
  const rows = [
    row('u', {create: '7 ENVS_NO_NAMESPACE', words: 'create: No "namespace" | run: no.'}),
    row('v'),
  ]
  assert.deepEqual(parseTable(printTable(rows)), rows)
})

test('a table of other columns, and a line with too few words, are refused', () => {
  const printed = printTable([row('u')])
  assert.throws(
    () => parseTable(printed.replace('doctor', 'physician')),
    /must begin with the line host scene/,
  )
  assert.throws(() => parseTable(printed.replace(/\t-\n$/, '\n')), /has 18 words instead of 19/)
})

test('each cell that differs is one difference, and each row that the table lacks, each trial that was not made', () => {
  const expected = [row('u', {run: '0'}), row('v'), row('w'), row('not planned')]
  const planned = ['u', 'v', 'w', 'x', 'new'].map((account) => keyOf(row(account)))
  const seen = [row('u', {run: '125', label: 'x'}), row('v'), row('x')]
  assert.deepEqual(compareRows(expected, seen, planned), [
    {kind: 'cell', row: 'noble shipped u auto', column: 'run', expected: '0', seen: '125'},
    {kind: 'cell', row: 'noble shipped u auto', column: 'label', expected: '-', seen: 'x'},
    {kind: 'unexpected', row: 'noble shipped x auto'},
    {kind: 'absent', row: 'noble shipped w auto'},
    {kind: 'absent', row: 'noble shipped new auto'},
  ])
  assert.deepEqual(compareRows(expected, expected, planned.slice(0, 3)), [])
})

test('what was seen replaces the rows of the same trials, in the order of the plans', () => {
  const order = ['v', 'u'].map((account) => keyOf(row(account)))
  const rows = updateRows([row('u'), row('v', {run: '1'}), row('old')], [row('u', {run: '0'})], order)
  assert.deepEqual(rows, [row('v', {run: '1'}), row('u', {run: '0'})])
})

test('the expected table has trials of the plans alone, each once, in their order', () => {
  const planned = RELEASES.flatMap(({name, plan}) => plan.map((line) => `${name} ${line}`))
  const expected = parseTable(text('hosts/expected.tsv')).map(keyOf)
  assert.deepEqual(
    planned.filter((key) => expected.includes(key)),
    expected,
  )
})

test('each scene has a name for the page, and a function on the host', () => {
  const functions = [...text('hosts/guest/scenes').matchAll(/^enter_(\w+)\(\)/gm)].map(([, name]) => name)
  const names = RELEASES.flatMap(({plan}) => plan.map((line) => line.split(' ')[0] ?? ''))
  for (const name of new Set(names)) {
    assert.ok(functions.includes(name.replaceAll('-', '_')), `no function for ${name}`)
    assert.ok(SCENES[name] !== undefined, `no name for ${name}`)
  }
})

test('the page shows what the table expects, and how long the hosts took', () => {
  const runs = parseRuns(text('hosts/runs.tsv'))
  assert.equal(printRuns(runs), text('hosts/runs.tsv'))
  const section = renderSection(parseTable(text('hosts/expected.tsv')), runs)
  assert.equal(sectionOf(text('docs/doctor.md')), section)
})

test('a section replaces the one of the page, and nothing around it', () => {
  const page = 'before\n<!-- hosts -->\n\nold\n\n<!-- /hosts -->\nafter\n'
  assert.equal(replaceSection(page, 'new'), page.replace('old', 'new'))
  assert.throws(() => replaceSection('no marks', 'new'), {message: 'The page has no <!-- hosts -->.'})
})

test('each failure that is expected has a code and a message that envs defines', () => {
  const known = [...text('docs/troubleshooting.md').matchAll(/^\| (.*?[^\\]) \| `(ENVS_\w+)` \|/gm)]
  for (const {host, cells, ...rest} of parseTable(text('hosts/expected.tsv')))
    for (const {step, message} of messagesOf(cells.words)) {
      const code = / (ENVS_\w+)$/.exec(cells[step])?.[1]
      const fits = known.filter(([, , each]) => code === undefined || each === code)
      assert.ok(
        fits.some(([, pattern = '']) => matches(message, pattern)),
        `${keyOf({host, ...rest})}, ${step}: ${code ?? ''} ${message}`,
      )
    }
})

function messagesOf(words: string): {step: Column; message: string}[] {
  if (words === '-') return []
  return words.split(' | ').flatMap((each) => {
    const [, steps = '', message = ''] = /^([a-z, ]+): (.*)$/.exec(each) ?? []
    return steps.split(', ').map((step) => ({step: step as Column, message}))
  })
}

/** @param pattern - A cell of docs/troubleshooting.md: a word in capitals stands for any text. */
function matches(message: string, pattern: string): boolean {
  const plain = pattern.replaceAll('\\|', '/').replaceAll('&lt;', '<')
  const escaped = plain
    .split(/\b[A-Z][A-Z-]+\b/)
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${escaped.join('.*')}$`, 'u').test(message)
}

test('a host of the page has its facts, a line a trial, and numbers for messages', () => {
  const failed = row('u', {
    ...{doctor: '7', create: '7 ENVS_NO_NAMESPACE', words: 'create: No namespace.'},
  })
  const run = {
    ...{host: 'noble', system: 'ubuntu 24.04', kernel: '6.8.0', bubblewrap: '0.9.0'},
    ...{bootSeconds: 16.52, trials: 2, seconds: 300, processorSeconds: 410.4},
  }
  assert.equal(
    renderSection([failed, row('v', {create: '0 mapped overlay'})], [run]),
    `### Ubuntu 24.04 (noble)

Linux 6.8.0, bubblewrap 0.9.0; 2 trials in 300 s (410 s of processor time), of which 17 s to boot.

| scene | user | engine | doctor | create | run | apt | undo | clone | export | guest | rm | |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
| as shipped | u | auto | 7 | 7 ENVS_NO_NAMESPACE | - | - | - | - | - | - | - | [1] |
| as shipped | v | auto | - | 0 mapped overlay | - | - | - | - | - | - | - |  |

Messages of the failures:

1. No namespace.`,
  )
  assert.match(renderSection([failed], []), /^Some scenes, without a measured time\.$/m)
})
