import assert from 'node:assert/strict'
import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {
  type ListingKind,
  PINNED,
  pinnedKeys,
  readKeyring,
  trustedKeys,
} from '../../../../src/images/signature/keyring.js'
import {makeSigner} from '../../../support/signer.js'
import {temporaryFolder} from '../../../support/temporary-folder.js'

const LISTING = new URL('https://apt.example.org/lxc/index.asc')

const first = await makeSigner({name: 'First'})
const second = await makeSigner({name: 'Second'})

for (const kind of Object.keys(PINNED) as ListingKind[]) {
  test(`every key that is pinned for ${kind} lies in its file, and no other of it is trusted`, async () => {
    const fingerprints = (await pinnedKeys(kind)).map(({fingerprint}) => fingerprint)
    assert.deepEqual(fingerprints.sort(), [...PINNED[kind].fingerprints].sort())
  })
}

for (const [below, from, isTrusted] of [
  ['https://apt.example.org', 'https://apt.example.org/lxc/index.asc', true],
  ['https://apt.example.org/lxc/', 'https://apt.example.org/lxc/index.asc', true],
  ['https://apt.example.org/lxc', 'https://user:word@apt.example.org/lxc/index.asc', true],
  ['https://apt.example.org/lxc', 'https://apt.example.org/lxc-other/index.asc', false],
  ['https://apt.example.org/lxc', 'https://apt.example.org/lxc/../debian/InRelease', false],
  ['https://apt.example.org/lxc', 'https://apt.example.org/lxc/%2e%2e/debian/InRelease', false],
  ['https://apt.example.org', 'https://apt.example.org.evil.example/index.asc', false],
  ['https://apt.example.org', 'https://evil.example/apt.example.org/index.asc', false],
  ['https://apt.example.org', 'https://apt.example.org:8443/index.asc', false],
  ['https://apt.example.org', 'http://apt.example.org/index.asc', false],
  ['https://apt.example.org/lxc', 'https://apt.example.org@evil.example/lxc/index.asc', false],
] as const) {
  test(`a key for ${below} may${isTrusted ? '' : ' not'} sign ${from}`, async (t) => {
    const path = join(await temporaryFolder(t), 'own.asc')
    await writeFile(path, first.publicKey)
    const keys = await trustedKeys({kind: 'lxc', from: new URL(from)}, [{below, path}])
    assert.deepEqual(
      keys.map(({fingerprint, name}) => [fingerprint, name]),
      [
        ['E7FB0CAEC8173D669066514CBAEFF88C22F6E216', 'LXC pre-built images'],
        ...(isTrusted ? [[first.fingerprint, 'First']] : []),
      ],
    )
  })
}

test('all of several concatenated armours are read', async (t) => {
  const path = join(await temporaryFolder(t), 'own.asc')
  await writeFile(path, `a comment\n${first.publicKey}\nanother\n${second.publicKey}`)
  assert.deepEqual(
    (await readKeyring(path)).map(({name}) => name),
    ['First', 'Second'],
  )
})

test('a binary file of several keys is read', async (t) => {
  const path = join(await temporaryFolder(t), 'own.gpg')
  await writeFile(
    path,
    Buffer.concat([first, second].map(({privateKey}) => Buffer.from(privateKey.toPublic().write()))),
  )
  assert.deepEqual(
    (await readKeyring(path)).map(({fingerprint}) => fingerprint),
    [first.fingerprint, second.fingerprint],
  )
})

for (const [what, content, reason] of [
  ['empty', '', 'there is no public key in it'],
  ['a text', 'hello\n', 'there is no public key in it'],
  ['a private key', first.privateKey.armor(), 'there is no public key in it'],
  ['cut off', first.publicKey.slice(0, -60), 'an armoured block in it has no end'],
  [
    'damaged',
    first.publicKey.replace(/\n\n.{20}/, '\n\nAAAAAAAAAAAAAAAAAAAA'),
    'it is not in the format of OpenPGP',
  ],
] as const) {
  test(`a key file that is ${what} is refused by name`, async (t) => {
    const path = join(await temporaryFolder(t), 'own.asc')
    await writeFile(path, content)
    await assert.rejects(readKeyring(path), {
      code: 'ENVS_KEYRING',
      exitCode: 7,
      message: `Could not use the key file "${path}": ${reason}.`,
    })
  })
}

test('a key file that is not there is refused by name', async (t) => {
  const path = join(await temporaryFolder(t), 'own.asc')
  await assert.rejects(
    trustedKeys({kind: 'lxc', from: LISTING}, [{below: 'https://apt.example.org', path}]),
    {
      message: `Could not use the key file "${path}": there is no such file.`,
    },
  )
})

test('a folder in place of a key file is refused by name', async (t) => {
  const path = join(await temporaryFolder(t), 'keys')
  await mkdir(path)
  await assert.rejects(readKeyring(path), {
    message: `Could not use the key file "${path}": illegal operation on a directory.`,
  })
})
