import assert from 'node:assert/strict'
import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {fileURLToPath} from 'node:url'

const root = fileURLToPath(new URL('../../..', import.meta.url))

test('every code that envs fails with is on the page, whichever way its error is made', async () => {
  const page = await readFile(join(root, 'docs/troubleshooting.md'), 'utf8')
  const told = new Set([...page.matchAll(/\| `(ENVS_\w+)` \|/g)].map(([, code]) => code))
  const found = new Set<string>()
  for (const folder of ['src', 'commands']) {
    for (const name of await readdir(join(root, folder), {recursive: true})) {
      if (!name.endsWith('.ts')) continue
      const text = await readFile(join(root, folder, name), 'utf8')
      for (const [, code = ''] of text.matchAll(/(?:defineError\(\s*|\bcode: )'(ENVS_\w+)'/g)) found.add(code)
    }
  }
  assert.deepEqual([...told].sort(), [...found].sort())
})
