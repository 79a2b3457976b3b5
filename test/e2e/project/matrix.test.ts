import assert from 'node:assert/strict'
import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import type {MatrixResult} from '../../../src/environments/matrix/results.js'
import {type Ran, runCli} from '../../support/cli.js'
import {environmentCli} from '../../support/environment-cli.js'
import {fileScope} from '../../support/file-scope.js'
import {seededRootfs} from '../../support/seeded-image.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

const scope = fileScope()
const cli = await environmentCli(scope)
const image = await seededRootfs(cli)
const folder = join(cli.home, 'work')
await mkdir(folder)
await writeFile(join(folder, 'source'), 'of the project\n')

function matrix(...argv: readonly string[]): Promise<Ran> {
  return runCli([...cli.words, 'matrix', ...argv], {env: cli.env, home: folder, options: {}})
}

const outcomes = (ran: Ran): unknown[] =>
  (JSON.parse(ran.stdout) as MatrixResult).cells.map(({outcome, status}) => [outcome, status])

test('each cell works on a copy of the folder, and its output is in a log', async () => {
  const ran = await matrix('--images', image, '--json', '--', 'sh', '-c', 'cat source; rm source; pwd >&2')
  assert.equal(ran.status, 0, ran.stderr)
  const {cells, passed} = JSON.parse(ran.stdout) as MatrixResult
  assert.deepEqual([passed, cells[0]?.outcome, cells[0]?.status], [true, 'passed', 0])
  assert.equal(await readFile(cells[0]?.log ?? '', 'utf8'), 'of the project\n/work\n')
  assert.equal(await readFile(join(folder, 'source'), 'utf8'), 'of the project\n')
  assert.deepEqual(JSON.parse((await cli.run('list', '--json')).stdout), [])
})

test('a command that fails gives 10, unless it may', async () => {
  const failed = await matrix('-r', image, '--json', '--', 'sh', '-c', 'exit 3')
  assert.deepEqual([failed.status, outcomes(failed)], [10, [['failed', 3]]])
  const allowed = await matrix('-r', image, '--may-fail', image, '--', 'sh', '-c', 'exit 3')
  assert.equal(allowed.status, 0)
  assert.match(allowed.stdout, /failed \(3\), allowed/)
})

test('a cell without an environment is an error, and the others are judged', async (t) => {
  // No shell is in it.
  const {path} = await tinyRootfs(t, {files: 1})
  const none = await matrix('-r', join(folder, 'missing.tar'), '--json', '--', 'true')
  assert.deepEqual([none.status, outcomes(none)], [125, [['error', null]]])
  const both = await matrix('-r', `${path},${image}`, '--json', '--', 'true')
  assert.deepEqual(
    [both.status, outcomes(both)],
    [
      10,
      [
        ['error', null],
        ['passed', 0],
      ],
    ],
  )
})

test('time is limited, and the first failure ends the others', async () => {
  const late = await matrix('-r', image, '--timeout', '1s', '--json', '--', 'sleep', '60')
  assert.deepEqual([late.status, outcomes(late)], [10, [['timeout', null]]])
  const images = `${image},${join(folder, 'missing.tar')}`
  const fast = await matrix('-r', images, '-j', '2', '--fail-fast', '--json', '--', 'sleep', '60')
  assert.deepEqual([fast.status, outcomes(fast)[1]], [125, ['error', null]])
  assert.ok(['cancelled', 'skipped'].includes(String((outcomes(fast)[0] as unknown[])[0])))
})

test('reports hold what a guest prints, and nothing that their formats forbid', async () => {
  const script = 'printf "]]>\\001<a>\\n::error::%%x\\n"; exit 1'
  const ran = await matrix('-r', image, '--junit', 'report.xml', '--github', '--', 'sh', '-c', script)
  assert.equal(ran.status, 10)
  assert.match(ran.stdout, /^::error title=[^:]*::failed \(1\)$/m)
  const report = await readFile(join(folder, 'report.xml'), 'utf8')
  assert.match(report, /<testsuite name="envs matrix" tests="1" failures="1" errors="0" skipped="0">/)
  assert.match(
    report,
    /<failure message="failed with status 1"\/><system-out>\]\]&gt;&lt;a&gt;\n::error::%x\n<\/system-out>/,
  )
})
