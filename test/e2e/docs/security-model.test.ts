import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {packageRoot} from '../../../src/host/paths.js'

/** The last cell of each row of the tables whose last column is named "test". */
async function testCells(page: string): Promise<string[]> {
  const text = await readFile(join(packageRoot(), 'docs', page), 'utf8')
  const tables = text.match(/(?:^\|.*\|\n)+/gm) ?? []
  const cellsOf = (row: string) => row.split('|').map((cell) => cell.trim())
  return tables.flatMap((table) => {
    const [head = '', , ...rows] = table.trimEnd().split('\n')
    const width = cellsOf(head).length
    for (const row of rows) assert.equal(cellsOf(row).length, width, row)
    return cellsOf(head).at(-2) === 'test' ? rows.map((row) => cellsOf(row).at(-2) ?? '') : []
  })
}

for (const [page, least] of [
  ['security-model.md', 80],
  ['limits.md', 9],
] as const)
  test(`each row of docs/${page} names tests that are there, or a dash`, async () => {
    const cells = await testCells(page)
    assert.ok(cells.length > least, `only ${cells.length} rows were found`)
    const broken = cells.filter((cell) => {
      const paths = [...cell.matchAll(/`([^`]+)`/g)].map(([, path = '']) => join(packageRoot(), 'test', path))
      const isMissing = paths.some((path) => !existsSync(path) && !existsSync(`${path}.test.ts`))
      return isMissing || (paths.length === 0 && cell !== '–')
    })
    assert.deepEqual(broken, [])
  })
