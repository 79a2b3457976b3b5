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

async function pinned<Value>(name: string, value: Value): Promise<Value> {
  const path = new URL(`../fixtures/${name}`, import.meta.url)
  if (process.env['ENVS_TEST_UPDATE'] === '1')
    await writeFile(path, `${JSON.stringify(value, undefined, 2)}\n`)
  return JSON.parse(await readFile(path, 'utf8'))
}
