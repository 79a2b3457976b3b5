import assert from 'node:assert/strict'
import {test} from 'node:test'
import {withFeatures} from '../../../src/features/index.js'
import {openHost} from '../../../src/host/host.js'
import {sharedPackages} from '../../../src/host/paths.js'
import {
  kernelMounts,
  MOUNT_POINTS,
  PACKAGES_MOUNT_POINT,
  plainRoot,
  RESOLVER_MOUNT_POINT,
} from '../../../src/sandbox/mounts.js'
import {baseSpec} from '../../../src/sandbox/spec.js'
import {environmentFiles, parseEnvironmentName} from '../../../src/store/environments.js'
import type {EnvironmentRecord} from '../../../src/store/record.js'

const HOST = openHost()
const NAME = parseEnvironmentName('play')
const FILES = environmentFiles(HOST.paths, NAME)
/** All that the features look at here. */
const RECORD = {
  identity: 'emulated',
  storage: 'directory',
  architecture: HOST.architecture,
  settings: {},
  image: {},
} as EnvironmentRecord
const WISH = {
  command: [],
  user: undefined,
  workingFolder: undefined,
  variables: [],
  volumes: [],
  durable: 'auto',
} as const
const SPEC = baseSpec({
  root: plainRoot(FILES.root),
  hostname: NAME,
  filterSets: [],
  architecture: HOST.architecture,
  userNamespace: {guest: 'second', prefix: []},
})

const {root, mounts} = await withFeatures(SPEC, {
  host: HOST,
  environment: {name: NAME, files: FILES, record: RECORD},
  wish: WISH,
  engine: 'bwrap',
  tree: {kind: 'directory', root: FILES.root},
  isPreview: true,
  isThrowaway: false,
})
const all = [root, ...mounts]

test('of the host, the tree and the shared packages alone can be written', () => {
  const writable = all.filter((mount) => mount.kind === 'bind' && mount.access === 'rw')
  assert.deepEqual(
    writable.map(({at}) => at),
    ['/', PACKAGES_MOUNT_POINT],
  )
})

test('of the host only the tree, /sys, the resolver folder and the shared packages are bound', () => {
  const sources = all.flatMap((mount) => (mount.kind === 'bind' ? [mount.from] : []))
  assert.deepEqual(sources, [FILES.root, '/sys', FILES.resolver, sharedPackages(HOST.paths)])
})

test('shared packages are mounted within the resolver folder, after it', () => {
  const places = all.map(({at}) => at)
  assert.equal(PACKAGES_MOUNT_POINT, '/run/envs/packages')
  assert.ok(places.indexOf(PACKAGES_MOUNT_POINT) > places.indexOf(RESOLVER_MOUNT_POINT))
})

test('what must be a folder in the tree is every place that is mounted on there', () => {
  const inTree = all
    .map(({at}) => at.slice(1))
    .filter((at) => at !== '' && !/^(?:dev|sys|run\/envs)\//.test(at))
  assert.deepEqual([...inTree].sort(), [...MOUNT_POINTS].sort())
  assert.equal(RESOLVER_MOUNT_POINT, '/run/envs')
})

test('what of /sys has the control groups and the firmware is covered, after it', () => {
  const places = all.flatMap(({kind, at}) => (kind === 'empty' ? [at] : []))
  assert.ok(places.includes('/sys/fs'))
  const sys = all.findIndex(({at}) => at === '/sys')
  assert.ok(places.every((place) => all.findIndex(({at}) => at === place) > sys))
})

test('for root with a say over mounts, what in /proc obeys uid 0 is read-only, and bound after /proc', () => {
  const forRoot = kernelMounts('of-root')
  const proc = forRoot.findIndex(({at}) => at === '/proc')
  for (const path of ['/proc/sys', '/proc/sysrq-trigger']) {
    const mount = {kind: 'bind', from: path, at: path, access: 'ro', ifMissing: 'skip'}
    assert.ok(forRoot.findIndex(({at}) => at === path) > proc)
    assert.deepEqual(
      forRoot.find(({at}) => at === path),
      mount,
    )
  }
})
