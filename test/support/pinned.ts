import assert from 'node:assert/strict'
import {readFile, writeFile} from 'node:fs/promises'

/**
 * Compares a value with the file of that name in test/fixtures, which is what users may rely on.
 *
 * With ENVS_TEST_UPDATE=1 the file is written instead: for a change that is meant, and told in CHANGELOG.md.
 */
export async function assertPinned(name: string, value: unknown): Promise<void> {
  assert.deepEqual(
    value,
    await pinned(name, value),
    `${name} differs; where that is meant: ENVS_TEST_UPDATE=1 npm test -- and this test`,
  )
}

/** The value that is pinned, for one that need not be met to the letter; updated in the same way. */
export async function pinned<Value>(name: string, value: Value): Promise<Value> {
  const path = new URL(`../fixtures/${name}`, import.meta.url)
  if (process.env['ENVS_TEST_UPDATE'] === '1')
    await writeFile(path, `${JSON.stringify(value, undefined, 2)}\n`)
  return JSON.parse(await readFile(path, 'utf8'))
}

/** The types in a JSON value, by key; an array's elements are taken together, `a|b` where they differ. */
export function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return [value.map(shapeOf).reduce(mergeShapes, undefined)].filter(Boolean)
  if (value === null) return 'null'
  if (typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shapeOf(each)]))
  if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)) return 'time'
  return typeof value
}

function mergeShapes(left: unknown, right: unknown): unknown {
  if (left === undefined) return right
  if (isObject(left) && isObject(right)) {
    const keys = new Set([...Object.keys(left), ...Object.keys(right)])
    return Object.fromEntries([...keys].map((key) => [key, mergeShapes(left[key], right[key] ?? left[key])]))
  }
  const alternatives = [left, right].flatMap((shape) =>
    typeof shape === 'string' ? shape.split('|') : [JSON.stringify(shape)],
  )
  return [...new Set(alternatives)].sort().join('|')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
