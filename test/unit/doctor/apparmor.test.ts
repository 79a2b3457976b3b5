import assert from 'node:assert/strict'
import {test} from 'node:test'
import {type ApparmorFacts, judgeApparmor} from '../../../src/doctor/namespaces.js'

const FREE: ApparmorFacts = {
  restriction: '1',
  labelByUnshare: 'unconfined',
  labelByBwrap: 'unconfined',
  labelBare: 'unprivileged_userns (enforce)',
  restricting: [],
  programs: ['/usr/bin/unshare', '/usr/bin/bwrap'],
}
const POWERLESS = {labelByUnshare: undefined, labelByBwrap: 'bwrap//&unpriv_bwrap (enforce)'}
const NEITHER = {labelByUnshare: undefined, labelByBwrap: undefined}

for (const [what, change, status] of [
  ['a kernel without the restriction', {restriction: undefined}, 'pass'],
  ['the restriction switched off', {restriction: '0', ...NEITHER}, 'pass'],
  ['a profile that lets namespaces be made', {}, 'pass'],
  ["a profile that takes its children's capabilities", POWERLESS, 'warn'],
  [
    'a profile that takes the capabilities of the children of unshare',
    {labelByUnshare: 'unshare//unpriv (enforce)', labelByBwrap: undefined},
    'warn',
  ],
  ['a profile whose name begins like one of those', {labelByUnshare: 'unprivate (enforce)'}, 'pass'],
  ['the profile of all programs without one', {labelByUnshare: 'unprivileged_userns (enforce)'}, 'warn'],
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

test('a profile is asked for that opens two programs, and no setting that opens all', () => {
  const {request} = judgeApparmor({...FREE, ...NEITHER})
  assert.deepEqual(request?.steps, [
    [
      "cat >/etc/apparmor.d/envs <<'EOF'",
      'abi <abi/4.0>,',
      'include <tunables/global>',
      'profile envs.usr.bin.unshare /usr/bin/unshare flags=(unconfined) {',
      '  userns,',
      '}',
      'profile envs.usr.bin.bwrap /usr/bin/bwrap flags=(unconfined) {',
      '  userns,',
      '}',
      'EOF',
    ].join('\n'),
    'apparmor_parser -r /etc/apparmor.d/envs',
  ])
  assert.doesNotMatch(JSON.stringify(request), /sysctl/)
  assert.match(request?.opens ?? '', /with \/usr\/bin\/unshare and \/usr\/bin\/bwrap\./)
})

test('a restricting profile for the same program is asked to be switched off first', () => {
  const {request} = judgeApparmor({...FREE, ...POWERLESS, restricting: ['bwrap-userns-restrict']})
  assert.deepEqual(request?.steps.slice(0, 2), [
    'ln -s ../bwrap-userns-restrict /etc/apparmor.d/disable/bwrap-userns-restrict',
    'apparmor_parser -R /etc/apparmor.d/bwrap-userns-restrict',
  ])
})
