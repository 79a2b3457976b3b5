import assert from 'node:assert/strict'
import {test} from 'node:test'
import {falseGroups} from '../../support/false-groups.js'
import {fileScope} from '../../support/file-scope.js'
import {sharedGuest} from '../../support/guest.js'

/*
 * The kernel of a host of tests delegates no controllers. A folder takes the place of its control groups: what envs writes, what it
 * reads, and what it makes of that. hosts/limits.sh tries the same with the groups of a booted host.
 */
const host = falseGroups(fileScope(), 'cpu io memory pids')
const play = sharedGuest('emulated', {behind: async () => (await host).words})

const LIMITS = ['memory=100M', 'cpus=0.5', 'io-weight=50', 'processes=none', 'require-limits=no']

async function limited(...words: string[]) {
  const [guest, groups] = await Promise.all([play(), host])
  await guest.cli.run('stop', 'play')
  // What the kernel says of the group in which the environment then is.
  groups.say('memory.max', '99999744')
  groups.say('cpu.max', '50000 100000')
  groups.say('io.weight', 'default 50')
  groups.say('memory.events', 'low 0\noom_kill 0')
  const set = await guest.cli.run('set', 'play', ...LIMITS, ...words)
  assert.deepEqual([set.status, /^envs: /m.test(set.stderr)], [0, false], set.stderr)
  return {...guest, groups}
}

test('an environment starts in a group with its limits, and its sessions enter that', async () => {
  const {run, groups, cli} = await limited()
  const first = await run('true')
  assert.deepEqual([first.status, first.stderr], [0, ''])
  assert.deepEqual(groups.made(), [
    {
      'memory.max': '100000000',
      'memory.swap.max': '0',
      'cpu.max': '50000 100000',
      'io.weight': '50',
      'cgroup.procs': '0',
    },
  ])
  // By the front door.
  groups.say('cgroup.procs', '')
  assert.deepEqual([(await run('true')).stderr, groups.read('cgroup.procs')[0]], ['', '0'])
  const shown = JSON.parse((await cli.run('show', 'play', '--json')).stdout).limits
  assert.deepEqual(
    shown.shared.map(({name, enforced}: {name: string; enforced: string}) => `${name}: ${enforced}`),
    ['memory: environment', 'cpus: environment', 'io-weight: environment'],
  )
})

test('processes that lacked memory are told of at the end of a session, and counted', async () => {
  const {run, start, groups, cli} = await limited()
  await run('mkfifo', '/srv/go')
  // The environment stays for `show`.
  const other = start('run', 'play', 'sh', '-c', 'echo ready; exec sleep 600')
  await new Promise((resolve) => other.stdout?.once('data', resolve))
  const session = start('run', 'play', 'sh', '-c', 'echo ready; read -r _ </srv/go')
  let told = ''
  session.stderr?.on('data', (text) => {
    told += String(text)
  })
  await new Promise((resolve) => session.stdout?.once('data', resolve))
  groups.say('memory.events', 'low 0\noom_kill 2')
  const end = new Promise((resolve) => session.once('close', resolve))
  await run('sh', '-c', 'echo >/srv/go')
  await end
  assert.equal(
    told,
    "envs: the limit of memory was reached: the kernel ended 2 of the environment's processes.\n",
  )
  assert.match(
    (await cli.run('show', 'play')).stdout,
    /^Out of memory +2 processes ended by the kernel since its start$/m,
  )
})

test('limits that the kernel did not take are told, and refuse the start where they are required', async () => {
  const {run, groups, cli} = await limited()
  groups.say('memory.max', 'max')
  const told = await run('true')
  assert.equal(told.status, 0)
  assert.match(told.stderr, /^envs: warning: .* of play for the whole environment: memory \(not at all\)\./)
  await cli.run('stop', 'play')
  assert.equal((await cli.run('set', 'play', 'require-limits=yes')).status, 0)
  // As any failure before the command has run.
  const refused = await run('true')
  assert.deepEqual([refused.status, /: memory\.$/m.test(refused.stderr)], [125, true], refused.stderr)
  assert.equal(JSON.parse((await cli.run('show', 'play', '--json')).stdout).state, 'stopped')
})
