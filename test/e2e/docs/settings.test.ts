import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {SETTINGS} from '../../../src/config/schema.js'
import {packageRoot} from '../../../src/host/paths.js'

test('docs/settings.md has each setting with its variable and what is built in', async () => {
  const text = await readFile(join(packageRoot(), 'docs/settings.md'), 'utf8')
  const rows = [...text.matchAll(/^\| `([\w.]+)` \| `(ENVS_\w+)` \| (?:`([^`]+)`)?.* \|.+\|$/gm)]
  assert.deepEqual(
    rows.map(([, name, variable, builtIn]) => ({name, variable, builtIn})),
    Object.entries(SETTINGS).map(([name, {variable, builtIn}]) => ({
      name,
      variable,
      builtIn: typeof builtIn === 'string' ? builtIn : undefined,
    })),
  )
})
