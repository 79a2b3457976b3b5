import assert from 'node:assert/strict'
import {test} from 'node:test'
import {judgeAccount, judgeNewuidmap, judgeSubordinateIds, type MapperFacts} from '../../../src/doctor/ids.js'
import {inOrder, withoutConsequences} from '../../../src/doctor/index.js'
import {
  judgeNamespaces,
  judgeNewPrivileges,
  judgeProc,
  type NamespaceFacts,
} from '../../../src/doctor/namespaces.js'
import {judgeClock, judgeGuestNetwork, judgeMirrors} from '../../../src/doctor/network.js'
import {judgeBubblewrap, judgeKernel, judgeNode, judgeProcessors} from '../../../src/doctor/programs.js'
import {installSteps, ticketOf} from '../../../src/doctor/remedies.js'
import {type Check, fail, pass, seeChecks, warn} from '../../../src/host/check.js'

const OPEN: NamespaceFacts = {
  trialStatus: 0,
  isMadeBare: true,
  limit: '15000',
  debianSwitch: '1',
  apparmorSwitch: '0',
  containerMark: undefined,
  isFiltered: false,
  isNested: false,
}

/** What was seen, as the reader is told of it. */
function seen({status, evidence}: Check): string {
  return `${status}: ${evidence}`
}

for (const [what, change, evidence] of [
  ['a limit of none', {limit: '0', isFiltered: true}, '/proc/sys/user/max_user_namespaces is 0.'],
  ["Debian's switch", {debianSwitch: '0'}, '/proc/sys/kernel/unprivileged_userns_clone is 0.'],
  ['a container', {containerMark: '/.dockerenv'}, '/.dockerenv is there: this is a container.'],
  ['a filter', {isFiltered: true}, 'Seccomp is 2 in /proc/self/status.'],
  [
    'another sandbox',
    {isNested: true},
    'unshare ended with status 1, and /proc/self/uid_map does not have all ids: envs runs inside another sandbox.',
  ],
  ['nothing that is known', {}, 'unshare --map-root-user --mount true ended with status 1.'],
] as const) {
  test(`that no user namespace can be made is laid to ${what}`, () => {
    assert.equal(seen(judgeNamespaces({...OPEN, trialStatus: 1, ...change})), `fail: ${evidence}`)
  })
}

test('where AppArmor takes the rights in a user namespace, its own check has the verdict', () => {
  const judged = (isMadeBare: boolean) =>
    judgeNamespaces({...OPEN, trialStatus: 1, apparmorSwitch: '1', isMadeBare})
  assert.equal(
    seen(judged(true)),
    'warn: /proc/sys/kernel/apparmor_restrict_unprivileged_userns is 1, and unshare makes a user namespace, but without rights in it.',
  )
  assert.match(judged(false).evidence, /unshare makes none\.$/)
  assert.equal(judged(true).remedy, 'See the check "AppArmor".')
})

test('where a user namespace can be made, nothing that usually forbids them counts', () => {
  const facts = {...OPEN, debianSwitch: '0', apparmorSwitch: '1', isFiltered: true, isNested: true}
  assert.equal(judgeNamespaces(facts).status, 'pass')
})

test('an administrator is asked for a setting that lasts, and told what it opens', () => {
  const {request} = judgeNamespaces({...OPEN, trialStatus: 1, debianSwitch: '0'})
  assert.deepEqual(request?.steps, [
    "echo 'kernel.unprivileged_userns_clone = 1' >/etc/sysctl.d/60-envs-unprivileged_userns_clone.conf",
    'sysctl --system',
  ])
  assert.match(request?.opens ?? '', /^Every user may make user namespaces/)
})

for (const [release, seccompActions, status] of [
  ['6.8.0-45-generic', 'kill_process trap errno allow', 'pass'],
  ['5.15.167.4-microsoft-standard-WSL2', 'errno allow', 'pass'],
  ['5.11.0', 'errno allow', 'warn'],
  ['5.10.0-28-amd64', 'errno allow', 'warn'],
  ['6.8.0', undefined, 'fail'],
  ['4.4.0-19041-Microsoft', undefined, 'fail'],
] as const) {
  test(`a kernel ${release} ${seccompActions === undefined ? 'without filters' : 'with filters'}: ${status}`, () => {
    assert.equal(judgeKernel({release, seccompActions}).status, status)
  })
}

test('covered parts of /proc are named, the folder of binfmt_misc not among them', () => {
  const mount = (mountPoint: string, fileSystem: string) => ({mountPoint, fileSystem, options: ['rw']})
  assert.equal(
    judgeProc([mount('/proc', 'proc'), mount('/proc/sys/fs/binfmt_misc', 'autofs')]).status,
    'pass',
  )
  const masked = ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/keys', '/proc/scsi'].map((path) =>
    mount(path, 'tmpfs'),
  )
  assert.equal(
    seen(judgeProc(masked)),
    'fail: Covered by mounts: /proc/acpi, /proc/kcore, /proc/keys, and 1 more.',
  )
})

const MAPPERS: readonly MapperFacts[] = [
  {name: 'newuidmap', path: '/usr/bin/newuidmap', isSetuid: true, capabilities: undefined},
  {name: 'newgidmap', path: '/usr/bin/newgidmap', isSetuid: false, capabilities: 'cap_setgid=ep'},
]
const BY_DEBIAN = {distribution: 'debian', uid: 1000}

test('programs that map ids are told with what gives them the right to', () => {
  assert.equal(
    seen(judgeNewuidmap(MAPPERS, BY_DEBIAN)),
    'pass: /usr/bin/newuidmap (setuid), /usr/bin/newgidmap (cap_setgid=ep).',
  )
})

test('a program without the bit and without capabilities is asked to get the bit', () => {
  const check = judgeNewuidmap(
    MAPPERS.map((program) => ({...program, isSetuid: false, capabilities: ''})),
    BY_DEBIAN,
  )
  assert.deepEqual(check.request?.steps, ['chmod u+s /usr/bin/newuidmap /usr/bin/newgidmap'])
})

test('missing programs are asked for by the name that the distribution has for them', () => {
  const missing = MAPPERS.map((program) => ({...program, path: undefined}))
  assert.deepEqual(judgeNewuidmap(missing, BY_DEBIAN).request?.steps, ['apt-get install uidmap'])
  assert.deepEqual(installSteps('fedora', 'uidmap'), ['dnf install shadow-utils-subid'])
  assert.deepEqual(installSteps('nixos', 'uidmap'), ['# install what Debian has as the package uidmap'])
})

const ADA = {user: 'ada', uid: 1000}

test('an account without a range gets one that nobody has, for the file that lacks it', () => {
  const {request} = judgeSubordinateIds({
    ...ADA,
    probe: {works: false, reason: 'no-subuid-range'},
    subuid: 'bob:100000:65536\nada:165536:65536\n',
    subgid: 'bob:100000:65536\n',
  })
  assert.deepEqual(request?.steps, ['usermod --add-subgids 231072-296607 ada'])
})

test('a range that is too small for nobody is a warning with its size', () => {
  const check = judgeSubordinateIds({
    ...ADA,
    probe: {works: true, way: 'unshare'},
    subuid: 'ada:100000:1000\n',
    subgid: 'ada:100000:65536\n',
  })
  assert.equal(seen(check), 'warn: Mapped, but the range is 1000 ids, not 65536: ada:100000:1000.')
})

test('no new privileges are a warning, and nothing that an administrator could mend', () => {
  assert.equal(judgeNewPrivileges({noNewPrivileges: false}).status, 'pass')
  const {status, request} = judgeNewPrivileges({noNewPrivileges: true})
  assert.deepEqual([status, request], ['warn', null])
})

test('root, and a user without a name, are warnings', () => {
  const accounts = [
    {uid: 1000, name: 'ada'},
    {uid: 0, name: 'root'},
    {uid: 4711, name: undefined},
  ]
  assert.deepEqual(
    accounts.map((account) => judgeAccount(account).status),
    ['pass', 'warn', 'warn'],
  )
})

for (const [version, status] of [
  ['20.17.0', 'pass'],
  ['20.16.9', 'fail'],
  ['18.20.4', 'fail'],
  ['22.0.0', 'pass'],
] as const) {
  test(`Node.js ${version}: ${status}`, () => assert.equal(judgeNode(version).status, status))
}

const NOW = Date.UTC(2026, 0, 2)
const server = (url: string, answer: number | string, offsetMs = 0) => ({
  ...{url, viaProxy: undefined, answer, timeMs: NOW},
  serverTimeMs: typeof answer === 'number' ? NOW - offsetMs : undefined,
})

test('servers that answer with a page, or that they have none, are there', () => {
  const check = judgeMirrors([server('https://one.test/', 200), server('https://two.test/', 404)])
  assert.equal(seen(check), 'pass: 2 of 2 servers answer.')
})

test('servers that are out of reach are named with the reason, and with the proxy of the others', () => {
  const check = judgeMirrors([
    {...server('https://one.test/', 200), viaProxy: 'proxy.test:3128'},
    server('https://two.test/', 'ENOTFOUND'),
    server('https://three.test/', 503),
  ])
  assert.equal(
    seen(check),
    'warn: 1 of 3 servers answer (by the proxy proxy.test:3128); https://two.test/: ENOTFOUND, https://three.test/: 503.',
  )
})

test('a clock is held against the servers, of which one may be wrong', () => {
  const minutes = (count: number) => server('https://one.test/', 200, count * 60_000)
  const judge = (...servers: ReturnType<typeof server>[]) => judgeClock({timeMs: NOW, servers})
  assert.equal(judge().status, 'pass')
  assert.equal(judge(minutes(0), minutes(1), minutes(-600)).status, 'pass')
  assert.equal(
    seen(judge(minutes(-60), minutes(-61), minutes(0))),
    'warn: The clock says 2026-01-02T00:00:00.000Z, 60 minutes before the time of servers.',
  )
  assert.equal(judgeClock({timeMs: Date.UTC(1970, 0, 1), servers: []}).status, 'warn')
})

test('a ticket has what an administrator can mend, and nothing else', () => {
  const request = {steps: ['true'], opens: 'Nothing.'}
  const trouble = {evidence: 'seen', cost: 'cost', remedy: 'remedy'}
  const checks = [pass('kernel', '6'), warn('disk', trouble), fail('bubblewrap', {...trouble, request})]
  assert.deepEqual(ticketOf(checks), {
    requests: [{check: 'bubblewrap', evidence: 'seen', purpose: 'cost', steps: ['true'], opens: 'Nothing.'}],
  })
  assert.equal(ticketOf(checks.slice(0, 2)), undefined)
})

const TROUBLE = {evidence: 'seen', cost: 'cost', remedy: 'remedy'}

test('one cause is one failure, with its remedy: what fails for it leads to it', () => {
  const request = {steps: ['true'], opens: 'Nothing.'}
  const checks = [fail('apparmor', {...TROUBLE, request}), fail('bubblewrap', TROUBLE), fail('disk', TROUBLE)]
  const [cause, consequence, other] = withoutConsequences(checks)
  assert.deepEqual([cause, other], [checks[0], checks[2]])
  assert.deepEqual(
    [consequence?.status, consequence?.evidence, consequence?.remedy],
    ['warn', 'seen', 'See the check "AppArmor".'],
  )
})

test('where no user namespace can be made at all, AppArmor is not blamed, and asks for nothing', () => {
  const request = {steps: ['true'], opens: 'Nothing.'}
  const checks = withoutConsequences([
    fail('user-namespaces', TROUBLE),
    fail('apparmor', {...TROUBLE, request}),
  ])
  assert.deepEqual(
    checks.map(({status}) => status),
    ['fail', 'warn'],
  )
  assert.equal(ticketOf(checks), undefined)
})

test('a missing bwrap is a cause of its own', () => {
  const request = {steps: ['apt-get install bubblewrap'], opens: 'Nothing.'}
  const checks = [fail('apparmor', TROUBLE), fail('bubblewrap', {...TROUBLE, request})]
  assert.deepEqual(withoutConsequences(checks), checks)
})

test('ids that AppArmor keeps from being mapped lead to its check, and to no trial by hand', () => {
  const check = judgeSubordinateIds({
    ...ADA,
    probe: {works: false, reason: 'apparmor'},
    subuid: 'ada:100000:65536\n',
    subgid: 'ada:100000:65536\n',
  })
  assert.equal(
    seen(check),
    'warn: No range was mapped: AppArmor takes the rights that unshare needs in a user namespace.',
  )
  assert.equal(check.remedy, 'See the check "AppArmor".')
})

test('checks are told in the order in which to mend them', () => {
  const ids = inOrder([pass('overlay', ''), pass('disk', ''), pass('engine', '')]).map(({id}) => id)
  assert.deepEqual(ids, ['engine', 'disk', 'overlay'])
})

test('a failure leads to the checks by their titles', () => {
  assert.match(seeChecks('disk'), /see the check "Disk"/)
  assert.match(
    seeChecks('disk', 'kernel', {title: 'Node.js'}, 'disk'),
    /see the checks "Disk", "Kernel" and "Node\.js"/,
  )
})

test('bubblewrap is told with its version and place, or with what its trial ended with', () => {
  const facts = {
    path: '/usr/bin/bwrap',
    version: 'bubblewrap 0.11.0',
    status: 0,
    message: '',
    distribution: 'fedora',
  }
  assert.equal(seen(judgeBubblewrap(facts)), 'pass: bubblewrap 0.11.0 at /usr/bin/bwrap.')
  assert.equal(
    seen(judgeBubblewrap({...facts, status: 1, message: 'bwrap: no'})),
    'fail: bubblewrap 0.11.0 at /usr/bin/bwrap ended with status 1: bwrap: no',
  )
  assert.deepEqual(judgeBubblewrap({...facts, path: undefined}).request?.steps, ['dnf install bubblewrap'])
})

test('processors that an interpreter is registered for are named', () => {
  const judge = (registered: readonly string[]) => seen(judgeProcessors({architecture: 'amd64', registered}))
  assert.equal(judge(['aarch64', 'riscv64']), 'pass: Programs of amd64, and with QEMU of aarch64, riscv64.')
  assert.match(judge([]), /^pass: Programs of amd64 only: /)
})

test('processors that qemu is at hand for are named', () => {
  const judged = judgeProcessors({architecture: 'amd64', registered: [], emulated: ['arm64', 's390x']})
  assert.equal(seen(judged), 'pass: Programs of amd64, and with QEMU, in environments, of arm64, s390x.')
})

for (const [what, limits, found] of [
  [
    'all groups',
    {pingGroups: [0, 2_147_483_647], firstPort: 1024},
    'pass: ping works, servers in environments may use the ports from 1024 on.',
  ],
  [
    'no group',
    {pingGroups: [1, 0], firstPort: 0},
    'warn: net.ipv4.ping_group_range is 1 0; servers in environments may use the ports from 0 on.',
  ],
  [
    'other groups',
    {pingGroups: [0, 99], firstPort: 1024},
    'warn: net.ipv4.ping_group_range is 0 99; servers in environments may use the ports from 1024 on.',
  ],
] as const) {
  test(`sees that ${what} may ping`, () => {
    assert.equal(seen(judgeGuestNetwork({gid: 1000, limits})), found)
  })
}
