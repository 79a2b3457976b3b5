import assert from 'node:assert/strict'
import {test} from 'node:test'
import {environmentCli} from '../support/environment-cli.js'
import {canSimulate} from '../support/simulated-host.js'

/** With user namespaces used up in the one it runs in, as where an administrator has switched them off. */
const WITHOUT_NAMESPACES = [
  ...['unshare', '--map-root-user', '--mount', 'sh', '-ec'],
  ...['echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"', 'sh'],
]

test('doctor finds that environments can run here', async (t) => {
  const cli = await environmentCli(t)
  const run = await cli.run('doctor')
  assert.deepEqual([run.status, run.stderr], [0, ''])
  assert.doesNotMatch(run.stdout, /^FAIL/m)
  assert.match(run.stdout, /^ok {4}/m)
})

test('doctor --json gives what it prints', async (t) => {
  const cli = await environmentCli(t)
  const run = await cli.run('doctor', '--json')
  const {canRun, checks} = JSON.parse(run.stdout)
  assert.deepEqual([run.status, canRun], [0, true])
  const printed = (await cli.run('doctor')).stdout.match(/^(?:ok {2}|warn|FAIL) {2}/gm) ?? []
  assert.equal(printed.length, checks.length)
})

test('doctor exits with 7 and a remedy where no environment can run', async (t) => {
  if (!(await canSimulate())) return t.skip('no user namespace to take others away in')
  const cli = await environmentCli(t)
  const run = await cli.runBehind(WITHOUT_NAMESPACES, 'doctor')
  assert.deepEqual([run.status, run.stderr], [7, ''])
  assert.match(run.stdout, /^FAIL .+\n {6}means: .+\n {6}remedy: .+$/m)
  assert.doesNotMatch(run.stdout, /\bsudo\b/)
})

test('doctor --json exits with 7 as well', async (t) => {
  if (!(await canSimulate())) return t.skip('no user namespace to take others away in')
  const cli = await environmentCli(t)
  const run = await cli.runBehind(WITHOUT_NAMESPACES, 'doctor', '--json')
  assert.deepEqual([run.status, JSON.parse(run.stdout).canRun], [7, false])
})

test('doctor makes no file', async (t) => {
  const cli = await environmentCli(t)
  await cli.run('doctor')
  assert.deepEqual(await cli.storeEntries(), [])
})
