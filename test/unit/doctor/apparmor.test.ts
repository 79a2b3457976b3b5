import assert from 'node:assert/strict'
import {test} from 'node:test'
import {type ApparmorFacts, judgeApparmor} from '../../../src/doctor/namespaces.js'

const FREE: ApparmorFacts = {
  restriction: '1',
  labelByUnshare: 'unconfined',
  labelByBwrap: 'unconfined',
  labelBare: 'unprivileged_userns (enforce)',
  isRestricting: false,
  unshare: '/usr/bin/unshare',
  rootsUnshare: '/usr/bin/unshare',
}
const POWERLESS = {labelByUnshare: undefined, labelByBwrap: 'bwrap//&unpriv_bwrap (enforce)'}
const NEITHER = {labelByUnshare: undefined, labelByBwrap: undefined}

for (const [what, change, status] of [
  ['a kernel without the restriction', {restriction: undefined}, 'pass'],
  ['the restriction switched off', {restriction: '0', ...NEITHER}, 'pass'],
  ['a profile that lets namespaces be made', {}, 'pass'],
  ["a profile that takes the capabilities of bwrap's children", POWERLESS, 'warn'],
  [
    'the same, and the profile that the ticket asks for',
    {...POWERLESS, labelByUnshare: 'envs.usr.bin.unshare (unconfined)'},
    'pass',
  ],
  [
    'the profile of all programs without one',
    {...NEITHER, labelByUnshare: 'unprivileged_userns (enforce)'},
    'warn',
  ],
  [
    'a profile that takes the capabilities of the children of unshare',
    {labelByUnshare: 'unshare//unpriv (enforce)', labelByBwrap: undefined},
    'warn',
  ],
  ['a profile whose name begins like one of those', {labelByUnshare: 'unprivate (enforce)'}, 'pass'],
  ['a profile of bwrap alone that lets it do all', {labelByUnshare: undefined}, 'warn'],
  ['no profile', NEITHER, 'fail'],
] as const) {
  test(`AppArmor with ${what}: ${status}`, () => {
    assert.equal(judgeApparmor({...FREE, ...change}).status, status)
  })
}

test('that AppArmor takes the rights in a namespace is told in these words, or that none can be made', () => {
  const evidence = (facts: Partial<ApparmorFacts>) => judgeApparmor({...FREE, ...NEITHER, ...facts}).evidence
  assert.match(evidence({}), /is 1, and user namespaces are made without rights in them \(label unpr/)
  assert.match(
    evidence({labelBare: undefined}),
    /is 1, and neither bwrap nor unshare could make a user namesp/,
  )
})

const PROFILE = [
  [
    "cat >/etc/apparmor.d/envs <<'EOF'",
    'abi <abi/4.0>,',
    'include <tunables/global>',
    'profile envs.usr.bin.unshare /usr/bin/unshare flags=(unconfined) {',
    '  userns,',
    '}',
    'EOF',
  ].join('\n'),
  'apparmor_parser -r /etc/apparmor.d/envs',
]

for (const [what, labels] of [
  ['no program may make namespaces', NEITHER],
  ["Ubuntu's own profile of bwrap is in force", POWERLESS],
] as const) {
  test(`where ${what}, a profile of unshare alone is asked for, and no setting for all`, () => {
    const {request, remedy} = judgeApparmor({...FREE, ...labels})
    assert.deepEqual(request?.steps, PROFILE)
    assert.match(request?.opens ?? '', /^Every user may make user namespaces with \/usr\/bin\/unshare, /)
    assert.match(remedy ?? '', /It is enough: unshare starts bwrap\.$/)
  })
}

test('a restricting profile of unshare is asked to be switched off first', () => {
  const {request} = judgeApparmor({...FREE, ...NEITHER, isRestricting: true})
  assert.deepEqual(request?.steps, [
    'ln -s ../unshare-userns-restrict /etc/apparmor.d/disable/unshare-userns-restrict',
    'apparmor_parser -R /etc/apparmor.d/unshare-userns-restrict',
    ...PROFILE,
  ])
})

test('no profile is asked for that names a program which others than root can change', () => {
  const {request, remedy, status} = judgeApparmor({
    ...FREE,
    ...NEITHER,
    unshare: '/home/u/bin/unshare',
    rootsUnshare: undefined,
  })
  assert.equal(status, 'fail')
  assert.equal(request, null)
  assert.equal(
    remedy,
    'No profile may name /home/u/bin/unshare, because others than root can change it or a folder above: remove it from PATH, then run envs doctor again.',
  )
})
