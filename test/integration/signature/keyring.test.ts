import assert from 'node:assert/strict'
import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {readKeyring, trustedKeys} from '../../../src/signature/keyring.js'
import {type ListingKind, PINNED} from '../../../src/signature/pinned-keys.js'
import {makeSigner} from '../../support/signer.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const first = await makeSigner({name: 'First'})
const second = await makeSigner({name: 'Second'})

for (const kind of Object.keys(PINNED) as ListingKind[]) {
  test(`every key that is pinned for ${kind} lies in its file, and no other of it is trusted`, async () => {
    const fingerprints = (await trustedKeys(kind, [])).map(({fingerprint}) => fingerprint)
    assert.deepEqual(fingerprints.sort(), [...PINNED[kind].fingerprints].sort())
  })
}

test("the user's key files are trusted beside the pinned keys", async (t) => {
  const path = join(await temporaryFolder(t), 'own.asc')
  await writeFile(path, first.publicKey)
  assert.deepEqual(
    (await trustedKeys('lxc', [path])).map(({fingerprint, name}) => [fingerprint, name]),
    [
      ['E7FB0CAEC8173D669066514CBAEFF88C22F6E216', 'LXC pre-built images'],
      [first.fingerprint, 'First'],
    ],
  )
})

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
      name: 'KeyringError',
      code: 'ENVS_KEYRING',
      exitCode: 7,
      message: `The key file ${path} can't be used: ${reason}.`,
    })
  })
}

test('a key file that is not there is refused by name', async (t) => {
  const path = join(await temporaryFolder(t), 'own.asc')
  await assert.rejects(trustedKeys('lxc', [path]), {
    message: `The key file ${path} can't be used: there is no such file.`,
  })
})

test('a folder in place of a key file is refused by name', async (t) => {
  const path = join(await temporaryFolder(t), 'keys')
  await mkdir(path)
  await assert.rejects(readKeyring(path), {message: `The key file ${path} can't be used: EISDIR.`})
})
