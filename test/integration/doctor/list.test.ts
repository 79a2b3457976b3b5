import assert from 'node:assert/strict'
import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {checkBubblewrap} from '../../../src/doctor/programs.js'
import {installSteps} from '../../../src/doctor/remedies.js'
import {openHost} from '../../../src/host/host.js'
import {probeMapped} from '../../../src/host/id-mapping.js'
import {readOsRelease} from '../../../src/host/machine/os-release.js'
import {oldUnshare} from '../../support/old-unshare.js'
import {canSimulate, checkOn, doctorOn, hide} from '../../support/simulated-host.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const isRoot = process.getuid?.() === 0
const skip = (await canSimulate()) ? false : 'this host lets no user make a user namespace'

/** A folder to mount a small disk on, and the environment that puts envs there. */
async function diskPoint(t: TestContext): Promise<{folder: string; environment: {ENVS_HOME: string}}> {
  const folder = await temporaryFolder(t)
  return {folder, environment: {ENVS_HOME: join(folder, 'not', 'there', 'yet')}}
}

test('looks at everything once, in the order in which to mend it', async () => {
  assert.deepEqual(
    (await doctorOn({})).checks.map(({id}) => id),
    [
      ...[
        'util-linux',
        'user-namespaces',
        'apparmor',
        'proc',
        'kernel',
        'bubblewrap',
        'launcher',
        'new-privileges',
      ],
      ...[
        'newuidmap',
        'subordinate-ids',
        'disk',
        'execution',
        'account',
        'node',
        'processors',
        'cgroups',
        'limits',
        'network',
        'proxies',
        'private-network',
      ],
    ],
  )
})

test('envs can run on the host of the tests, and what passes costs nothing', {skip}, async () => {
  const {checks, canRun} = await doctorOn({})
  assert.equal(canRun, true, JSON.stringify(checks))
  for (const {cost, remedy, request} of checks.filter((check) => check.status === 'pass')) {
    assert.deepEqual({cost, remedy, request}, {cost: null, remedy: null, request: null})
  }
})

test('what does not pass has a cost and a remedy', {skip}, async () => {
  const prepare = ['echo 0 > /proc/sys/user/max_user_namespaces', hide('perl', 'flock')].join('\n')
  const troubled = (await doctorOn({prepare})).checks.filter(({status}) => status !== 'pass')
  assert.deepEqual(troubled.map(({id}) => id).slice(0, 5), [
    'util-linux',
    'user-namespaces',
    'bubblewrap',
    'launcher',
    'subordinate-ids',
  ])
  for (const {cost, remedy} of troubled) assert.ok(cost && remedy)
})

test('without bwrap envs can not run, and the package to ask for is named', {skip}, async () => {
  const {checks, canRun} = await doctorOn({prepare: hide('bwrap')})
  assert.equal(canRun, false)
  assert.deepEqual(
    checks.find(({id}) => id === 'bubblewrap'),
    {
      id: 'bubblewrap',
      title: 'Bubblewrap',
      status: 'fail',
      evidence: 'bwrap was not found.',
      cost: 'envs cannot enter any environment.',
      remedy:
        'Ask an administrator to install the package bubblewrap, or download it into your own folder: envs doctor --fetch bubblewrap',
      request: {
        steps: installSteps((await readOsRelease()).id, 'bubblewrap'),
        opens: 'Nothing: bwrap has only the privileges of its caller.',
      },
    },
  )
})

test('a limit of no user namespaces is named with its file and the setting that lifts it', {
  skip,
}, async () => {
  const check = await checkOn('user-namespaces', {prepare: 'echo 0 > /proc/sys/user/max_user_namespaces'})
  assert.deepEqual([check.status, check.evidence], ['fail', '/proc/sys/user/max_user_namespaces is 0.'])
  assert.match(check.remedy ?? '', /"user\.max_user_namespaces=15000"/)
})

test('bwrap that can not make a namespace tells the status it ended with, and leads to the cause', {
  skip,
}, async () => {
  const check = await checkOn('bubblewrap', {prepare: 'echo 0 > /proc/sys/user/max_user_namespaces'})
  assert.deepEqual([check.status, check.remedy], ['warn', 'See the check "User namespaces".'])
  assert.match(check.evidence, /^bubblewrap [\d.]+ at \/.*\/bwrap ended with status 1: /)
})

test('a covered part of /proc is named, with the option of containers that uncovers it', {skip}, async () => {
  const check = await checkOn('proc', {prepare: 'mount -t tmpfs tmpfs /proc/fs'})
  assert.deepEqual([check.status, check.evidence], ['fail', 'Covered by mounts: /proc/fs.'])
  assert.match(check.remedy ?? '', /systempaths=unconfined/)
})

test('a covered part of /proc is no fault of user namespaces', {skip}, async () => {
  assert.equal((await checkOn('user-namespaces', {prepare: 'mount -t tmpfs tmpfs /proc/fs'})).status, 'pass')
})

for (const program of ['unshare', 'nsenter', 'flock']) {
  test(`without ${program} envs can not run`, {skip}, async () => {
    const {checks, canRun} = await doctorOn({prepare: hide(program)})
    const {status, evidence} = checks[0] ?? {}
    assert.deepEqual(
      {canRun, status, evidence},
      {canRun: false, status: 'fail', evidence: `Not found: ${program}.`},
    )
  })
}

test('without perl envs can not run, is told what still works, and how to get it', {skip}, async () => {
  const {checks, canRun} = await doctorOn({prepare: hide('perl')})
  const check = checks.find(({id}) => id === 'launcher')
  assert.deepEqual([canRun, check?.status], [false, 'fail'])
  assert.match(
    check?.evidence ?? '',
    /^perl was not found\.( setpriv can load a filter, but cannot join an environment\.)?$/,
  )
  assert.match(check?.cost ?? '', /can be listed, shown, stopped, renamed and removed/)
  assert.match(check?.remedy ?? '', /perl-base, .*: envs doctor --fetch perl$/)
})

test('an unshare before 2.38 is no trouble where newuidmap can be called without it', async (t) => {
  const probe = await probeMapped(openHost())
  if (!probe.works) return t.skip(`ids can not be mapped here: ${probe.reason}`)
  const environment = {PATH: `${await oldUnshare(t)}:${process.env['PATH']}`}
  const {checks} = await doctorOn({environment})
  const found = checks.flatMap(({id, status, evidence}) =>
    id === 'util-linux' || id === 'subordinate-ids' ? [[id, status, evidence.replace(/;.*/, '')]] : [],
  )
  assert.deepEqual(found, [
    ['util-linux', 'pass', 'util-linux 2.37'],
    ['subordinate-ids', 'pass', 'Mapped'],
  ])
})

test('an unshare before 2.38 costs owners where there is no perl', {skip}, async (t) => {
  const prepare = [
    hide('perl'),
    ...['subuid', 'subgid'].map((file) => `mount --bind "$RANGE" /etc/${file}`),
  ].join('\n')
  const folder = await oldUnshare(t)
  await writeFile(join(folder, 'range'), 'root:100000:65536\n')
  const environment = {PATH: `${folder}:${process.env['PATH']}`, RANGE: join(folder, 'range')}
  const check = await checkOn('util-linux', {prepare, environment})
  assert.deepEqual([check.status, check.evidence], ['warn', 'util-linux 2.37.'])
  assert.match(check.remedy ?? '', /: envs doctor --fetch perl\. .* util-linux 2\.38 or later\.$/)
})

test('without subordinate ids envs runs, and says what that costs', {skip}, async () => {
  const prepare = 'mount --bind /dev/null /etc/subuid'
  const {checks, canRun} = await doctorOn({prepare})
  const check = checks.find(({id}) => id === 'subordinate-ids')
  assert.deepEqual(
    {canRun, status: check?.status, evidence: check?.evidence},
    {
      canRun: true,
      status: 'warn',
      evidence: 'No range was mapped: /etc/subuid or /etc/subgid has no line for this account.',
    },
  )
  assert.match(check?.remedy ?? '', /root:\d+:65536$/)
})

test('a process that can gain no privileges is told to start elsewhere', {
  skip: isRoot && 'root needs none',
}, async () => {
  const check = await checkOn('subordinate-ids', {prefix: ['setpriv', '--no-new-privs']})
  assert.equal(check.status, 'warn')
  assert.match(check.evidence, /NoNewPrivs is 1/)
})

test('a small disk is a warning with its figures', {skip}, async (t) => {
  const {folder, environment} = await diskPoint(t)
  const prepare = `mount -t tmpfs -o size=1m,nr_inodes=20 tmpfs ${folder}`
  const {status, evidence} = await checkOn('disk', {prepare, environment})
  assert.deepEqual(
    {status, evidence},
    {status: 'warn', evidence: `${folder}: tmpfs, 0.0 GiB free, 19 inodes free.`},
  )
})

test('a noexec disk keeps envs from running', {skip}, async (t) => {
  const {folder, environment} = await diskPoint(t)
  const {status, evidence} = await checkOn('execution', {
    prepare: `mount -t tmpfs -o size=2g,nr_inodes=100k,noexec tmpfs ${folder}`,
    environment,
  })
  assert.deepEqual([status, evidence], ['fail', `The disk of ${folder} is mounted noexec.`])
})

test('a nosuid disk costs sudo', {skip}, async (t) => {
  const {folder, environment} = await diskPoint(t)
  const {status, evidence} = await checkOn('disk', {
    prepare: `mount -t tmpfs -o size=2g,nr_inodes=100k,nosuid tmpfs ${folder}`,
    environment,
  })
  assert.equal(status, 'warn')
  assert.match(evidence, /, nosuid\.$/)
})

test('a folder that can not be written keeps envs from running', {skip}, async (t) => {
  const {folder, environment} = await diskPoint(t)
  const prepare = `mount -t tmpfs -o size=2g,ro tmpfs ${folder}`
  const {status, evidence} = await checkOn('disk', {prepare, environment})
  assert.equal(status, 'fail')
  assert.match(evidence, /, not writable\.$/)
})

test('a bwrap that can not be started is a finding, not the end of the examination', async (t) => {
  const path = join(await temporaryFolder(t), 'bwrap')
  await writeFile(path, '#!/not/there\n', {mode: 0o755})
  const check = await checkBubblewrap({which: () => path}, undefined)
  assert.equal(check.status, 'fail')
  assert.equal(check.evidence, `bwrap at ${path} ended with status 126: ENOENT`)
})
