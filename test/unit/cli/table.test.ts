import assert from 'node:assert/strict'
import {test} from 'node:test'
import {type Column, renderTable} from '../../../src/cli/table.js'

type Row = {name: string; size: string}

const LAYOUT: readonly Column<Row>[] = [
  {title: 'name', show: ({name}) => name},
  {title: 'size', align: 'right', show: ({size}) => size},
  {title: 'note', show: () => ''},
]

test('aligns columns and leaves no space at the end of a line', () => {
  const rows = [
    {name: 'web', size: '1.2 GB'},
    {name: '日本', size: '46 MB'},
  ]
  assert.equal(
    renderTable(rows, LAYOUT, undefined),
    ['NAME    SIZE  NOTE', 'web   1.2 GB', '日本   46 MB'].join('\n'),
  )
})

test('cuts lines to the width of a terminal', () => {
  assert.equal(
    renderTable([{name: 'a-long-name', size: '1 B'}], LAYOUT, 14),
    ['NAME         …', 'a-long-name  …'].join('\n'),
  )
})

test('escapes what a cell holds, so that it stays one line', () => {
  const [, line] = renderTable([{name: 'a\n\x1b[31m', size: '1 B'}], LAYOUT, undefined).split('\n')
  assert.equal(line, 'a\\n\\e[31m   1 B')
})

test('is empty without rows', () => {
  assert.equal(renderTable([], LAYOUT, undefined), '')
})

const RANKED: readonly Column<Row>[] = [
  {title: 'name', show: ({name}) => name},
  {title: 'size', align: 'right', rank: 2, show: ({size}) => size},
  {title: 'arch', rank: 1, show: () => 'amd64'},
  {title: 'note', show: () => 'one two three four'},
]

for (const [columns, lines] of [
  [undefined, ['NAME  SIZE  ARCH   NOTE', 'web    1 B  amd64  one two three four']],
  [38, ['NAME  SIZE  ARCH   NOTE', 'web    1 B  amd64  one two three four']],
  [36, ['NAME  ARCH   NOTE', 'web   amd64  one two three four']],
  [30, ['NAME  NOTE', 'web   one two three four']],
  [20, ['NAME  NOTE', 'web   one two three', '      four']],
  [15, ['NAME  NOTE', 'web   one two …']],
] as const) {
  test(`leaves out columns by rank, then wraps, then cuts: ${columns} columns`, () => {
    assert.equal(renderTable([{name: 'web', size: '1 B'}], RANKED, columns), lines.join('\n'))
  })
}

test('a word wider than the last column is cut', () => {
  const layout: readonly Column<Row>[] = [{title: 'name', show: ({name}) => name}]
  const name = `a ${'b'.repeat(20)} c`
  assert.equal(renderTable([{name, size: ''}], layout, 14), ['NAME', 'a', 'bbbbbbbbbbbbb…', 'c'].join('\n'))
})
