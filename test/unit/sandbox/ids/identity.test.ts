import assert from 'node:assert/strict'
import {test} from 'node:test'
import {chooseIdentity, treePrefix} from '../../../../src/sandbox/ids/identity.js'

const BARE_HOST = {which: () => undefined, uid: 1000}

test('a mapped tree is seen through unshare with a range of ids', () => {
  assert.deepEqual(treePrefix('mapped', {unshare: '/usr/bin/unshare'}), [
    '/usr/bin/unshare',
    '--map-auto',
    '--map-root-user',
    '--',
  ])
})

test('an emulated tree is the user own, and needs no prefix', () => {
  assert.deepEqual(treePrefix('emulated', {unshare: '/usr/bin/unshare'}), [])
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
    reason: 'old-util-linux',
    suggestions: [
      'Ask an administrator for util-linux 2.38 or later: envs needs its unshare --map-auto.',
      'Or leave the identity at auto, or set it to emulated.',
    ],
  })
})
