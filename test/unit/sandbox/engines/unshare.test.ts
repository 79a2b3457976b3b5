import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {constants} from 'node:os'
import {test} from 'node:test'
import {templatePath} from '../../../../src/host/paths.js'
import {layersFirst, overlayOptions} from '../../../../src/sandbox/engines/overlay.js'
import {unshareEngine, unshareOptions} from '../../../../src/sandbox/engines/unshare.js'
import {baseSpec} from '../../../../src/sandbox/spec.js'

const LAYERS = {
  lowers: ['/store/layers/base/tree', '/store/layers/point/tree'],
  upper: '/store/layers/own/tree',
  work: '/store/layers/own/work',
}

const SPEC = baseSpec({
  root: {kind: 'overlay', ...LAYERS, at: '/'},
  hostname: 'play',
  filterSets: [],
  architecture: 'amd64',
  userNamespace: {guest: 'only', prefix: []},
})

test('its program is told the mounts in the order they are given', () => {
  const words = unshareOptions(
    {
      ...SPEC,
      mounts: [
        {kind: 'dev', at: '/dev'},
        {kind: 'bind', from: '/sys', at: '/sys', access: 'ro'},
        {kind: 'bind', from: '/store/packages', at: '/run/envs/packages', access: 'rw', ifMissing: 'skip'},
      ],
    },
    '/store/run',
  )
  assert.deepEqual(words, [
    ...['stage', '/store/run', 'hostname', 'play'],
    ...['overlay', '/store/layers', overlayOptions(LAYERS).options, '/'],
    ...['dev', '/dev', 'bind', '/sys', '/sys', 'ro', 'need'],
    ...['bind', '/store/packages', '/run/envs/packages', 'rw', 'skip', 'end'],
  ])
})

for (const guestNamespace of ['second', 'of-root'] as const) {
  test(`the guest is put into a second namespace (${guestNamespace})`, () => {
    const userNamespace = {guest: guestNamespace, prefix: ['unshare', '--user', '--']}
    const words = unshareOptions({...SPEC, userNamespace}, '/store/run')
    assert.ok(words.includes('second-namespace'))
  })
}

test('pid 1 is a program of the guest, which none of the host can be changed through', async () => {
  const engine = unshareEngine({
    launcher: ['perl', 'anchor.pl'],
    keeper: ['perl', 'boot.pl'],
    secondNamespace: () => [],
  })
  const [perl, script, numbers, ...program] = await engine.command(SPEC, 'sleep 1')
  assert.deepEqual([perl, script], ['perl', 'anchor.pl'])
  assert.match(numbers ?? '', /^(?:\d+,){8}\d+$/)
  assert.deepEqual(program.slice(0, 2), ['/bin/sh', '-c'])
  assert.equal(program.at(-1), 'sleep 1')
})

test('layers are named from the uppermost down, relative to the folder that holds them', () => {
  assert.deepEqual(overlayOptions(LAYERS), {
    folder: '/store/layers',
    options: 'lowerdir=point/tree:base/tree,upperdir=own/tree,workdir=own/work,userxattr',
  })
})

test('a layer that lies elsewhere keeps its whole path, for what is above depends on links', () => {
  const {folder, options} = overlayOptions({...LAYERS, upper: '/memory/own/tree', work: '/memory/own/work'})
  assert.equal(folder, '/memory')
  assert.match(
    options,
    /^lowerdir=\/store\/layers\/point\/tree:\/store\/layers\/base\/tree,upperdir=own\/tree,/,
  )
})

test('layers that are stacked first are mounted where the engine then finds one tree', () => {
  const words = layersFirst(LAYERS, {unshare: '/bin/unshare', mount: '/bin/mount', at: '/store/run/merged'})
  assert.deepEqual(words.slice(0, 5), ['/bin/unshare', '--mount', '--propagation', 'slave', '--'])
  assert.deepEqual(words.slice(-3), ['/store/layers', overlayOptions(LAYERS).options, '/store/run/merged'])
})

test('the program has the error numbers of the kernel', () => {
  const {ENOENT, ENOTDIR, EINVAL, ENOSYS, ELOOP, EPERM} = constants.errno
  const perl = readFileSync(templatePath('host/anchor.pl'), 'utf8')
  const numbers = [EPERM, ENOENT, ENOTDIR, EINVAL, ENOSYS, ELOOP].join(', ')
  assert.ok(perl.includes(`my ($EPERM, $ENOENT, $ENOTDIR, $EINVAL, $ENOSYS, $ELOOP) = (${numbers});`))
})

test('an init takes the place of the process that ends with the last session', async () => {
  const engine = unshareEngine({launcher: ['perl', 'anchor.pl'], keeper: [], secondNamespace: () => []})
  const argv = await engine.command({...SPEC, init: ['/sbin/init', '-x']}, 'sleep 1')
  assert.deepEqual(argv.slice(3), ['/sbin/init', '-x'])
})
