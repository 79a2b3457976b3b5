import assert from 'node:assert/strict'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {packageRoot} from '../../../src/host/paths.js'
import {runCli, sandboxedCli} from '../../support/cli.js'

/** Runs all lines in one process of the built program, and writes what each prints, and its exit status, to standard error. */
const RUN_ALL = `
const {readFileSync, writeSync} = require('node:fs')
const {run} = require('./dist/main.cjs')
process.setMaxListeners(0)
const lines = readFileSync(process.argv[1], 'utf8').split('\\n').filter(Boolean)
;(async () => {
  for (const line of lines) {
    process.exitCode = 0
    writeSync(2, '\\0' + line + '\\0')
    await run(line.split(' '))
    writeSync(2, '\\0' + process.exitCode + '\\0\\n')
  }
  process.exitCode = 0
})()
`

const FIXTURE = join(packageRoot(), 'test/fixtures/habits.tsv')

/** Commands that remove, replace or end something. */
const DANGEROUS =
  /\benvs (?:rm|stop|restart|prune|undo|redo|reset|restore|image rm|image prune)\b(?! --help)|--remove\b|--now\b/
/** Words that ask for that. */
const ASKS =
  /\b(?:rm|rmi|remove|delete|destroy|purge|uninstall|unregister|terminate|stop|halt|poweroff|reboot|down|shutdown|prune|clear-cache|snapshots?)\b|^-t /

test('each habit from another tool gets its exit status, and the line with the right word', async (t) => {
  const cli = await sandboxedCli(t)
  const rows = (await readFile(FIXTURE, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((row) => row.split('\t'))
  assert.ok(rows.length > 130)
  const lines = join(cli.home, 'lines')
  await writeFile(lines, rows.map(([typed]) => `${typed}\n`).join(''))
  const {status, stderr} = await runCli(['node', '-e', RUN_ALL, lines], {
    env: cli.env,
    home: packageRoot(),
    options: {},
  })
  assert.equal(status, 0, stderr)
  const answers = [...stderr.matchAll(/\0([^\0]+)\0([^\0]*)\0(\d+)\0\n/g)]
  assert.equal(answers.length, rows.length)
  for (const [at, [typed = '', wanted = '', line = '']] of rows.entries()) {
    const [, ran, printed = '', ended] = answers[at] ?? []
    const words = printed.split('\n').map((text) => text.trim().replace(/^try: /, ''))
    assert.deepEqual([ran, ended], [typed, wanted], printed)
    assert.ok(line === '' ? printed === '' : words.includes(line), `${typed}: ${printed}`)
    assert.ok(!DANGEROUS.test(printed) || ASKS.test(typed), `${typed}: ${printed}`)
  }
})
