import assert from 'node:assert/strict'
import {test} from 'node:test'
import type {DebArchitecture} from '../../../../src/host/machine/arch.js'
import {buildFilter} from '../../../../src/sandbox/seccomp/filter.js'
import {type FilterSet, filterSets, initFilterSets} from '../../../../src/sandbox/seccomp/rules.js'
import {judge, type Verdict} from '../../../support/bpf-machine.js'
import {ABI, type Abi, ARCHITECTURES} from '../../../support/syscall-numbers.js'

/** Above every number of any table: a sweep to here meets each call and each neighbour. */
const SWEEP_END = 600

const EVERY_SET: readonly FilterSet[] = ['chown', 'set-ids', 'devices', 'terminal', 'hardening', 'sync']
const [S_IFIFO, S_IFREG, S_IFSOCK, S_IFCHR, S_IFBLK] = [0o010000n, 0o100000n, 0o140000n, 0o020000n, 0o060000n]
const DEVICE = 0x103n

type Call = {number: number; arguments?: readonly bigint[]}

/** The filter of one architecture and the numbers it is asked about. */
type Subject = {filter: Buffer; abi: Abi}

function ask({filter, abi}: Subject, call: Call): Verdict {
  return judge(filter, {audit: abi.audit, ...call}, abi.isLittleEndian)
}

/** Numbers that don't go through, with arguments for which the argument checks let everything pass. */
function changedNumbers(filter: Buffer, abi: Abi): Map<number, Verdict> {
  const changed = new Map<number, Verdict>()
  for (let number = 0; number < SWEEP_END; number++) {
    const verdict = ask({filter, abi}, {number})
    if (verdict !== 'allow') changed.set(number, verdict)
  }
  return changed
}

function sortedMap(numbers: readonly number[], verdict: Verdict): Map<number, Verdict> {
  return new Map([...numbers].sort((a, b) => a - b).map((number) => [number, verdict]))
}

for (const architecture of ARCHITECTURES) {
  const abi = ABI[architecture]

  test(`${architecture}: the set chown lets each change of owner succeed and nothing else`, () => {
    assert.deepEqual(
      changedNumbers(buildFilter(architecture, ['chown']), abi),
      sortedMap(abi.chown, 'errno 0'),
    )
  })

  test(`${architecture}: the set set-ids lets each change of ids succeed and nothing else`, () => {
    assert.deepEqual(
      changedNumbers(buildFilter(architecture, ['set-ids']), abi),
      sortedMap(abi.setIds, 'errno 0'),
    )
  })

  test(`${architecture}: the set sync lets each flush succeed and nothing else`, () => {
    assert.deepEqual(changedNumbers(buildFilter(architecture, ['sync']), abi), sortedMap(abi.sync, 'errno 0'))
  })

  test(`${architecture}: the set untraced makes each call unknown that a tracer may not know, and nothing else`, () => {
    assert.deepEqual(
      changedNumbers(buildFilter(architecture, ['untraced']), abi),
      sortedMap(abi.untraced, 'errno 38'),
    )
  })

  test(`${architecture}: the set closed refuses mounts, setns, tracing and personality, and nothing else`, () => {
    assert.deepEqual(
      changedNumbers(buildFilter(architecture, ['closed']), abi),
      sortedMap(abi.closed, 'errno 1'),
    )
  })

  test(`${architecture}: the set no-io-uring makes io_uring unknown, and nothing else`, () => {
    assert.deepEqual(
      changedNumbers(buildFilter(architecture, ['no-io-uring']), abi),
      sortedMap([abi.ioUring], 'errno 38'),
    )
  })

  test(`${architecture}: the set few-families knows Unix, IPv4, IPv6 and netlink, whatever the upper half says`, () => {
    const filter = buildFilter(architecture, ['few-families'])
    for (const number of [abi.socket, abi.socketpair]) {
      const answer = (family: bigint) => ask({filter, abi}, {number, arguments: [family]})
      for (const family of [1n, 2n, 10n, 16n, 0xffff_ffff_0000_0002n]) assert.equal(answer(family), 'allow')
      for (const family of [0n, 3n, 17n, 38n, 40n, 0x1_0000_0028n]) assert.equal(answer(family), 'errno 97')
    }
    const others = [...changedNumbers(filter, abi).keys()]
    assert.deepEqual(others, [abi.socket, abi.socketpair])
  })

  test(`${architecture}: the set no-socketcall makes the call for all of them unknown, where there is one`, () => {
    assert.deepEqual(
      changedNumbers(buildFilter(architecture, ['no-socketcall']), abi),
      sortedMap(abi.socketcall === undefined ? [] : [abi.socketcall], 'errno 38'),
    )
  })

  test(`${architecture}: the sets hardening and reboot refuse with EPERM and leave tools for developers alone`, () => {
    const changed = changedNumbers(buildFilter(architecture, ['hardening', 'reboot']), abi)
    for (const number of [abi.keyctl, ...abi.hardened])
      assert.equal(changed.get(number), 'errno 1', `${number}`)
    for (const number of abi.untouched) assert.equal(changed.get(number), undefined, `${number}`)
    assert.deepEqual(new Set(changed.values()), new Set(['errno 1']))
  })

  test(`${architecture}: no set at all changes nothing`, () => {
    assert.deepEqual(changedNumbers(buildFilter(architecture, []), abi), new Map())
  })

  test(`${architecture}: the set devices fakes device nodes and lets every other type be made`, () => {
    const filter = buildFilter(architecture, ['devices'])
    const mknod = (type: bigint, device: bigint): Call[] => [
      {number: abi.mknodat, arguments: [0n, 0n, type | 0o644n, device]},
      ...(abi.mknod === undefined ? [] : [{number: abi.mknod, arguments: [0n, type | 0o644n, device]}]),
    ]
    const verdicts = (type: bigint, device: bigint) =>
      mknod(type, device)
        .map((call) => ask({filter, abi}, call))
        .filter((v, i, all) => all.indexOf(v) === i)
    assert.deepEqual(verdicts(S_IFCHR, DEVICE), ['errno 0'])
    assert.deepEqual(verdicts(S_IFBLK, DEVICE), ['errno 0'])
    assert.deepEqual(verdicts(S_IFBLK, 0n), ['errno 0'])
    for (const type of [S_IFIFO, S_IFREG, S_IFSOCK, 0n]) assert.deepEqual(verdicts(type, DEVICE), ['allow'])
  })

  test(`${architecture}: the set devices lets overlayfs's whiteout be made`, () => {
    const filter = buildFilter(architecture, ['devices'])
    const call = {number: abi.mknodat, arguments: [0n, 0n, S_IFCHR, 0n]}
    assert.equal(ask({filter, abi}, call), 'allow')
  })

  test(`${architecture}: the set devices changes no call but mknod and mknodat`, () => {
    const filter = buildFilter(architecture, ['devices'])
    const every = [S_IFCHR, S_IFCHR, S_IFCHR, S_IFCHR]
    const numbers = Array.from({length: SWEEP_END}, (_, number) => number).filter(
      (number) => ask({filter, abi}, {number, arguments: every}) !== 'allow',
    )
    const known = abi.mknod === undefined ? [abi.mknodat] : [abi.mknod, abi.mknodat]
    assert.deepEqual(
      numbers,
      known.sort((a, b) => a - b),
    )
  })

  test(`${architecture}: the set terminal refuses to type into a terminal, whatever the upper half says`, () => {
    const filter = buildFilter(architecture, ['terminal'])
    const ioctl = (request: bigint) => ask({filter, abi}, {number: abi.ioctl, arguments: [0n, request]})
    for (const request of [0x5412n, 0x541cn, 0x1_0000_5412n, 0xffff_ffff_0000_541cn]) {
      assert.equal(ioctl(request), 'errno 1', request.toString(16))
    }
    for (const request of [0x5401n, 0x5411n, 0x5413n, 0x541bn, 0x541dn, 0x5412_0000_0000n]) {
      assert.equal(ioctl(request), 'allow', request.toString(16))
    }
  })

  test(`${architecture}: every set together still answers as each alone, and a cancelled call goes through`, () => {
    const filter = buildFilter(architecture, EVERY_SET)
    const answers = [abi.fchownat, abi.chown.at(-1), abi.setIds[0], abi.sync[0], abi.keyctl, -1].map(
      (number) => ask({filter, abi}, {number: number ?? 0}),
    )
    assert.deepEqual(answers, ['errno 0', 'errno 0', 'errno 0', 'errno 0', 'errno 1', 'allow'])
  })

  test(`${architecture}: a call of an unknown architecture goes through`, () => {
    const filter = buildFilter(architecture, EVERY_SET)
    for (const audit of [0, 0xffffffff, 0x40000008, 0x00000016]) {
      assert.equal(judge(filter, {audit, number: abi.fchownat}, abi.isLittleEndian), 'allow')
    }
  })
}

const KIN = [
  ['amd64', 'i386'],
  ['i386', 'amd64'],
  ['arm64', 'armhf'],
  ['armhf', 'arm64'],
] as const satisfies readonly (readonly [DebArchitecture, DebArchitecture])[]

for (const [architecture, kin] of KIN) {
  test(`a filter for ${architecture} holds for programs of ${kin} too, by their own numbers`, () => {
    const changed = changedNumbers(buildFilter(architecture, ['chown', 'set-ids']), ABI[kin])
    assert.deepEqual(
      [...changed.keys()],
      [...ABI[kin].chown, ...ABI[kin].setIds].sort((a, b) => a - b),
    )
  })
}

for (const architecture of ['riscv64', 'loong64', 'ppc64el', 's390x'] as const) {
  test(`a filter for ${architecture} lets the programs of every other architecture be`, () => {
    const filter = buildFilter(architecture, EVERY_SET)
    for (const other of ARCHITECTURES.filter((name) => name !== architecture)) {
      const {audit, keyctl} = ABI[other]
      assert.equal(judge(filter, {audit, number: keyctl}, ABI[architecture].isLittleEndian), 'allow', other)
    }
  })
}

test('amd64: calls of the x32 ABI do not exist', () => {
  const filter = buildFilter('amd64', filterSets('mapped'))
  for (const number of [0x40000000, 0x40000000 + 92, 0x40000000 + 39, 0x7fffffff, -2]) {
    assert.equal(judge(filter, {audit: ABI.amd64.audit, number}), 'errno 38', `${number}`)
  }
})

test('i386: the bit of x32 means nothing', () => {
  const filter = buildFilter('amd64', filterSets('mapped'))
  assert.equal(judge(filter, {audit: ABI.i386.audit, number: 0x40000000 + 20}), 'allow')
})

test('an emulated root may change owners and ids, a mapped one really does', () => {
  const verdicts = (identity: 'emulated' | 'mapped') => {
    const filter = buildFilter('amd64', filterSets(identity))
    return [92, 105, 250, 74].map((number) => judge(filter, {audit: ABI.amd64.audit, number}))
  }
  assert.deepEqual(verdicts('emulated'), ['errno 0', 'errno 0', 'errno 1', 'allow'])
  assert.deepEqual(verdicts('mapped'), ['allow', 'allow', 'errno 1', 'allow'])
})

test('syncs are elided on request, and nothing else changes by it', () => {
  for (const identity of ['emulated', 'mapped'] as const) {
    const durable = changedNumbers(buildFilter('amd64', filterSets(identity)), ABI.amd64)
    const eliding = changedNumbers(buildFilter('amd64', filterSets(identity, {elidesSyncs: true})), ABI.amd64)
    const syncs = sortedMap(ABI.amd64.sync, 'errno 0')
    assert.deepEqual(eliding, new Map([...durable, ...syncs].sort(([a], [b]) => a - b)))
  }
})

test('an init may reboot, learns that it makes no devices, and has no clone3 with make-believe control groups', () => {
  const [mknod, reboot, clone3, keyctl] = [133, 169, 435, 250]
  for (const identity of ['emulated', 'mapped'] as const) {
    const verdicts = (cgroups: 'real' | 'make-believe') => {
      const filter = buildFilter('amd64', initFilterSets(identity, cgroups))
      return [mknod, reboot, clone3, keyctl].map((number) =>
        judge(filter, {audit: ABI.amd64.audit, number, arguments: [0n, S_IFCHR, DEVICE]}),
      )
    }
    assert.deepEqual(verdicts('real'), ['allow', 'allow', 'allow', 'errno 1'])
    assert.deepEqual(verdicts('make-believe'), ['allow', 'allow', 'errno 38', 'errno 1'])
  }
})

test('an init that receives a notification waits for the keeper, and no other call does', () => {
  const filter = buildFilter('amd64', ['notifications'])
  const [recvmsg, sendmsg] = [47, 46]
  const [trunc, dontWait, closeOnExec] = [0x20n, 0x40n, 0x40000000n]
  const verdicts = (number: number) =>
    [closeOnExec | dontWait | trunc, closeOnExec | dontWait, closeOnExec, dontWait, 0n].map((flags) =>
      judge(filter, {audit: ABI.amd64.audit, number, arguments: [20n, 0x7fff00000000n, flags]}),
    )
  const waits = 'other 0x7fc00000'
  assert.deepEqual(verdicts(recvmsg), [waits, waits, 'allow', 'allow', 'allow'])
  assert.deepEqual(new Set(verdicts(sendmsg)), new Set(['allow']))
  assert.deepEqual(changedNumbers(filter, ABI.amd64), new Map())
})

test('both identities fake device nodes and guard the terminal', () => {
  for (const identity of ['emulated', 'mapped'] as const) {
    const filter = buildFilter('amd64', filterSets(identity))
    const {audit} = ABI.amd64
    assert.equal(judge(filter, {audit, number: 133, arguments: [0n, S_IFCHR, DEVICE]}), 'errno 0')
    assert.equal(judge(filter, {audit, number: 16, arguments: [0n, 0x5412n]}), 'errno 1')
  }
})
