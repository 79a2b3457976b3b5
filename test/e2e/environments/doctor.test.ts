import assert from 'node:assert/strict'
import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {type EnvironmentCli, environmentCli, whyNotMapped} from '../../support/environment-cli.js'
import {paxHeader, tarArchive, tarMember} from '../../support/tar-archive.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

const ROOT = {uid: 0, gid: 0}
const folder = (name: string) => tarMember({...ROOT, mode: 0o755, name, type: '5'})

const STATUS = ['bash', 'cron', 'tcpdump']
  .map((name) => `Package: ${name}\nStatus: install ok installed\nArchitecture: all\nVersion: 1.2-3\n`)
  .join('\n')

async function given(t: TestContext, identity: string, ...members: Buffer[]): Promise<EnvironmentCli> {
  const cli = await environmentCli(t)
  const archive = tarArchive(...['usr', 'etc', 'var', 'var/lib', 'var/lib/dpkg'].map(folder), ...members)
  await writeFile(join(cli.home, 'play.tar'), archive)
  const made = await cli.run('create', join(cli.home, 'play.tar'), '--identity', identity, '-q')
  assert.equal(made.status, 0, made.stderr)
  return cli
}

const status = tarMember({...ROOT, name: 'var/lib/dpkg/status', data: STATUS})

test('doctor NAME lists what an emulated environment lacks, and exits with 0', async (t) => {
  const cli = await given(
    t,
    'emulated',
    status,
    tarMember({...ROOT, gid: 42, mode: 0o2755, name: 'usr/chage'}),
    tarMember({
      ...ROOT,
      mode: 0o666,
      name: 'null',
      type: '3',
      patches: {329: Buffer.from('0000001\0'), 337: Buffer.from('0000003\0')},
    }),
    paxHeader([['SCHILY.xattr.security.capability', 'x']]),
    tarMember({...ROOT, name: 'usr/odd'}),
  )
  const run = await cli.run('doctor', 'play')
  assert.deepEqual([run.status, run.stderr], [0, ''])
  assert.deepEqual(run.stdout.split('\n'), [
    'Identity emulated: every file is yours; changes of owner or user appear to succeed.',
    'Owners that were set after the environment was created are not recorded, so they are not listed here.',
    '1 file has another owner in the image (user:group mode):',
    '  /usr/chage  0:42 2755',
    '1 file has capabilities in the image that could not be set:',
    '  /usr/odd  of an unknown form',
    "1 device node of the image left out (the guest's /dev is created at each start):",
    '  /null  char 1:3',
    'Packages in the environment that need more than it provides:',
    '  cron 1.2-3: cron cannot change its user, so the jobs of every user run as root',
    '      remedy: Let the job change its user itself with runuser, or use the identity mapped: envs clone.',
    '  tcpdump 1.2-3: an environment cannot capture packets on the network of the host',
    '      remedy: Capture on the host.',
    '',
  ])
})

test('doctor NAME --json gives all of it', async (t) => {
  const many = Array.from({length: 25}, (_, index) => tarMember({uid: 1, gid: 2, name: `usr/${index}`}))
  const cli = await given(t, 'emulated', ...many)
  const {missing, ...report} = JSON.parse((await cli.run('doctor', 'play', '--json')).stdout)
  assert.deepEqual(report, {name: 'play', identity: 'emulated', missingUnlisted: 0, packages: null})
  assert.equal(missing.length, 25)
  assert.deepEqual(missing[0], {
    path: '/usr/0',
    kind: 'file',
    lost: ['owner'],
    uid: 1,
    gid: 2,
    mode: '0644',
    capabilities: [],
    device: null,
  })
  assert.match((await cli.run('doctor', 'play')).stdout, /^ {2}and 5 more: --json lists all$/m)
})

test('doctor NAME shows names of an archive without what a terminal would act on', async (t) => {
  const cli = await given(t, 'emulated', tarMember({uid: 1, gid: 1, name: 'usr/\x1b[2J\nnew line'}))
  assert.match((await cli.run('doctor', 'play')).stdout, /^ {2}\/usr\/\\e\[2J\\nnew line {2}1:1 0644$/m)
})

test('doctor NAME finds nothing amiss with what is as it should be', async (t) => {
  const reason = await whyNotMapped()
  if (reason !== undefined) return t.skip(reason)
  const cli = await given(
    t,
    'mapped',
    tarMember({uid: 33, gid: 42, name: 'usr/file'}),
    tarMember({...ROOT, name: 'var/lib/dpkg/status'}),
  )
  assert.equal(
    (await cli.run('doctor', 'play')).stdout,
    'Identity mapped: users of the environment have ids of your subordinate range.\nNo package in the environment is known to need more than the environment provides.\n',
  )
})

test('create warns of owners that a mapped environment can not have, and names them', async (t) => {
  const reason = await whyNotMapped()
  if (reason !== undefined) return t.skip(reason)
  const cli = await environmentCli(t)
  const archive = tarArchive(
    folder('usr'),
    folder('etc'),
    tarMember({uid: 2_000_000, gid: 0, name: 'usr/file'}),
  )
  await writeFile(join(cli.home, 'play.tar'), archive)
  const run = await cli.run('create', join(cli.home, 'play.tar'), '--identity', 'mapped')
  const lines = run.stderr.split('\n')
  assert.ok(
    lines.includes(
      'envs: warning: 1 file has an owner outside of your subordinate range (2000000), and belongs to nobody (65534) here. Programs that run as one of these ids cannot write to them; a longer range in /etc/subuid and /etc/subgid gives the ids to new environments.',
    ),
    run.stderr,
  )
  assert.ok(lines.includes('1 file has another owner in the image: envs doctor play lists them.'), run.stderr)
})

test('doctor without NAME says nothing of environments, and of one that is not there that it is not', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path)
  assert.doesNotMatch((await cli.run('doctor')).stdout, /tiny/)
  assert.equal((await cli.run('doctor', 'nothing')).status, 3)
})

test('doctor NAME says that a ledger is damaged', async (t) => {
  const cli = await given(t, 'emulated')
  await writeFile(join(cli.store, 'play', 'ledger.jsonl'), 'x')
  const run = await cli.run('doctor', 'play', '--json')
  assert.deepEqual([run.status, JSON.parse(run.stdout).error.code], [8, 'ENVS_BAD_LEDGER'])
})
