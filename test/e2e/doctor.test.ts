import assert from 'node:assert/strict'
import {test} from 'node:test'
import {environmentCli} from '../support/environment-cli.js'
import {onRestrictedHost} from '../support/restricted-host.js'
import {canSimulate} from '../support/simulated-host.js'

/** Where an administrator has switched user namespaces off. */
const WITHOUT_NAMESPACES = onRestrictedHost({forbidsNamespaces: true, without: ['proot']})

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

test('doctor names a variable whose value is not the URL of a proxy, and not the value', async (t) => {
  const cli = await environmentCli(t, {https_proxy: 'http://me:secret@proxy:99999'})
  const {stdout} = await cli.run('doctor')
  assert.match(stdout, /^warn {2}Proxies: Not the URL of a proxy: the value of https_proxy\.\n {6}means: /m)
  assert.doesNotMatch(stdout, /secret|99999/)
})

test('doctor exits with 7 and a remedy where no environment can run', async (t) => {
  if (!(await canSimulate())) return t.skip('no user namespace to take others away in')
  const cli = await environmentCli(t)
  const run = await cli.runBehind(WITHOUT_NAMESPACES, 'doctor')
  assert.deepEqual([run.status, run.stderr], [7, ''])
  assert.match(run.stdout, /^FAIL .+\n {6}means: .+\n {6}remedy: .+$/m)
  assert.doesNotMatch(run.stdout, /\bsudo\b/)
})

test('doctor ends with what to send to an administrator: what was seen, commands, and what they open', async (t) => {
  if (!(await canSimulate())) return t.skip('no user namespace to take others away in')
  const cli = await environmentCli(t)
  const {stdout} = await cli.runBehind(WITHOUT_NAMESPACES, 'doctor')
  const ticket = stdout.slice(stdout.indexOf('\nTo send to an administrator'))
  assert.deepEqual(ticket.split('\n').slice(1, 9), [
    'To send to an administrator of this host (each part helps on its own):',
    '',
    '1. Seen: /proc/sys/user/max_user_namespaces is 0.',
    '   Without it: envs cannot enter any environment.',
    '   As root:',
    "     echo 'user.max_user_namespaces = 15000' >/etc/sysctl.d/60-envs-max_user_namespaces.conf",
    '     sysctl --system',
    '   Security effect: Every user may make user namespaces, and reach parts of the kernel in them that only root could reach. Debian, Fedora and Arch allow this by default.',
  ])
  const {ticket: told} = JSON.parse((await cli.runBehind(WITHOUT_NAMESPACES, 'doctor', '--json')).stdout)
  assert.deepEqual(told.requests[0].check, 'user-namespaces')
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
