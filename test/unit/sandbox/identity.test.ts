import assert from 'node:assert/strict'
import {test} from 'node:test'
import {chooseIdentity, namespacePrefix, treePrefix} from '../../../src/sandbox/identity.js'

const BARE_HOST = {which: () => undefined, uid: 1000, gid: 1000, architecture: 'amd64'} as const

test('an emulated tree is the user own, and needs no prefix', async () => {
  assert.deepEqual(await treePrefix('emulated', BARE_HOST), [])
})

test('a mapped tree on a host that lost what mapping needs is an error that says what', async () => {
  await assert.rejects(treePrefix('mapped', BARE_HOST), {
    code: 'ENVS_IDENTITY_UNAVAILABLE',
  })
})

test('a namespace of one id needs unshare alone, and says so', async () => {
  const which = (program: string) => (program === 'unshare' ? '/usr/bin/unshare' : undefined)
  assert.deepEqual(await namespacePrefix('emulated', {...BARE_HOST, which}), [
    ...['/usr/bin/unshare', '--user', '--map-root-user', '--'],
  ])
  await assert.rejects(namespacePrefix('emulated', BARE_HOST), {code: 'ENVS_TOOL_MISSING'})
})

test('left to itself, a host that can map nothing emulates', async () => {
  assert.equal(await chooseIdentity('auto', BARE_HOST), 'emulated')
})

test('emulated can be had on every host', async () => {
  assert.equal(await chooseIdentity('emulated', BARE_HOST), 'emulated')
})

test('mapped, asked for by name where it can not be had, is an error of the host that says what is missing', async () => {
  await assert.rejects(chooseIdentity('mapped', BARE_HOST), {
    name: 'IdentityUnavailableError',
    code: 'ENVS_IDENTITY_UNAVAILABLE',
    exitCode: 7,
    suggestions: [
      'Download perl into your own folder: envs doctor --fetch perl. Or ask an administrator for util-linux 2.38 or later, whose unshare has --map-auto.',
      'Create an environment with the identity emulated instead: leave the setting identity at auto.',
    ],
  })
})
