import assert from 'node:assert/strict'
import {join} from 'node:path'
import {test} from 'node:test'
import {SETTINGS} from '../../src/config/schema.js'
import {ExitCode} from '../../src/errors.js'
import {packageRoot} from '../../src/host/paths.js'
import {capture} from '../../src/host/process.js'
import {declaredCommands} from '../support/commands.js'

const MANUAL = join(packageRoot(), 'dist/envs.1')

test('the pages of docs/commands, docs/json.md and the schema of it are what the commands declare', async () => {
  const check = await capture([process.execPath, 'scripts/command-pages.mjs', '--check'], {
    cwd: packageRoot(),
  })
  assert.deepEqual([check.status, check.stdout, check.stderr], [0, '', ''])
})

test('the manual page has no mistake in its form', async () => {
  const lint = await capture(['mandoc', '-T', 'lint', '-W', 'error', MANUAL])
  assert.deepEqual([lint.status, lint.stdout, lint.stderr], [0, '', ''])
})

test('the manual page tells of every command, flag, exit status and variable of a setting', async () => {
  const {stdout} = await capture(['mandoc', '-T', 'utf8', '-O', 'width=1000', MANUAL])
  // A letter is made bold by itself, printed over.
  const text = stdout
    .split('\b')
    .map((part, index, parts) => (index < parts.length - 1 ? part.slice(0, -1) : part))
    .join('')
  const shown = [...(await declaredCommands())].filter(([, {hidden}]) => !hidden)
  const expected = [
    ...shown.map(([name]) => `envs ${name}`),
    ...shown.flatMap(([, {flags}]) => Object.keys(flags ?? {}).map((name) => `--${name}`)),
    ...Object.values(SETTINGS).map(({variable}) => variable),
    ...Object.values(ExitCode).map(String),
  ]
  assert.deepEqual(
    expected.filter((word) => !text.includes(word)),
    [],
  )
})
