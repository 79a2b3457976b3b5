import assert from 'node:assert/strict'
import {test} from 'node:test'
import type {ExposureFacts} from '../../../../src/environments/exposure/facts.js'
import {judgeExposure} from '../../../../src/environments/exposure/judge.js'
import {highestLevel, reaches} from '../../../../src/environments/exposure/levels.js'
import {CAPABILITIES} from '../../../../src/sandbox/confinement/capabilities.js'
import type {Profile} from '../../../../src/sandbox/confinement/confinement.js'

/** Of an isolated environment with the identity mapped. */
const CLOSED: ExposureFacts = {
  ids: 65_536,
  isHostsRoot: false,
  ownsMounts: false,
  ownsNetwork: false,
  shared: [],
  interfaces: [],
  listening: [],
  abstractSockets: undefined,
  hasSysfs: false,
  hasKernelFiles: false,
  isRootReadOnly: false,
  shares: [],
  capabilities: ['chown'],
  unfiltered: 0,
}

function codes(facts: Partial<ExposureFacts>, profile: Profile = 'isolated'): string[] {
  return judgeExposure({...CLOSED, ...facts}, {profile}).map(
    ({area, level, code}) => `${area} ${level} ${code}`,
  )
}

const USUAL = codes({})

test('an isolated environment has the least exposure', () => {
  assert.deepEqual(USUAL, [
    'identity low mapped',
    'mounts none locked',
    'network none none',
    'kernel none filter-isolated',
    'capabilities none some',
  ])
})

for (const [what, facts, profile, added] of [
  ['one id', {ids: 1}, 'isolated', ['identity low emulated', 'kernel medium user-namespaces']],
  ["the host's root", {isHostsRoot: true}, 'isolated', ['identity high hosts-root']],
  ['mounts of its own', {ownsMounts: true}, 'isolated', ['mounts medium own-mounts']],
  ['read-only files', {isRootReadOnly: true}, 'isolated', ['mounts none read-only']],
  ["the host's network", {shared: ['net'], abstractSockets: 3}, 'isolated', ['network high host']],
  ['a network that leads out', {interfaces: ['eth0']}, 'isolated', ['network medium private']],
  ['a network that it can change', {ownsNetwork: true}, 'isolated', ['network low own-rules']],
  ['a port', {listening: ['tcp port 80 of 0.0.0.0']}, 'isolated', ['ports low listening']],
  [
    "the host's namespaces",
    {shared: ['pid', 'ipc', 'uts', 'cgroup', 'time']},
    'isolated',
    [
      'namespaces high pid',
      'namespaces high ipc',
      'namespaces low uts',
      'namespaces low cgroup',
      'namespaces low time',
    ],
  ],
  [
    'volumes',
    {
      shares: [
        {source: '/a', at: '/b', access: 'rw'},
        {source: '/a', at: '/c', access: 'ro'},
      ],
    },
    'isolated',
    ['shares high volume', 'shares medium volume-read-only'],
  ],
  [
    'files of the kernel',
    {hasSysfs: true, hasKernelFiles: true},
    'isolated',
    ['kernel medium sysfs', 'kernel low proc'],
  ],
  ['a process without a filter', {unfiltered: 1}, 'isolated', ['kernel high unfiltered']],
  ['all capabilities', {capabilities: CAPABILITIES}, 'isolated', ['capabilities low all']],
  ['the profile default', {}, 'default', ['kernel medium user-namespaces', 'kernel low filter-default']],
  ['the profile trusted', {}, 'trusted', ['kernel medium user-namespaces', 'kernel medium filter-trusted']],
] as const satisfies readonly (readonly [string, Partial<ExposureFacts>, Profile, readonly string[]])[]) {
  test(`${what} adds its lines to the report, and no others`, () => {
    assert.deepEqual(
      codes(facts, profile).filter((each) => !USUAL.includes(each)),
      added,
    )
  })
}

test('hosts behind the proxy and published ports are told by the settings', () => {
  const settings = {
    profile: 'isolated',
    allowedHosts: ['a.example'],
    publications: ['127.0.0.1:80:80'],
  } as const
  const added = judgeExposure(CLOSED, settings).map(({area, level, code}) => `${area} ${level} ${code}`)
  assert.deepEqual(
    added.filter((each) => !USUAL.includes(each)),
    ['network medium allowed-hosts', 'ports low published'],
  )
})

test('the level of a report is that of its worst line', () => {
  assert.equal(highestLevel([]), 'none')
  assert.equal(highestLevel([{level: 'medium'}, {level: 'low'}]), 'medium')
  assert.equal(reaches('high', 'medium'), true)
  assert.equal(reaches('low', 'medium'), false)
})
