import assert from 'node:assert/strict'
import {readFileSync, readlinkSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {type Unpacked, unpackImage} from '../../../src/environments/create/unpack.js'
import {openImage} from '../../../src/images/open.js'
import type {Layer} from '../../../src/images/resolved-image.js'
import {readLedger} from '../../../src/rootfs/ledger/ledger.js'
import {digestOf} from '../../support/download.js'
import {extractionArena} from '../../support/extraction.js'
import {NOWHERE} from '../../support/image-context.js'
import {tarballs} from '../../support/open-image.js'
import {tarArchive, tarMember} from '../../support/tar-archive.js'
import {BARE} from '../../support/tree-process.js'

const ROOT = {uid: 0, gid: 0}
const LOWER = tarArchive(
  tarMember({...ROOT, name: 'etc/', type: '5', mode: 0o755}),
  tarMember({...ROOT, name: 'etc/kept', data: 'below'}),
  tarMember({...ROOT, name: 'etc/changed', data: 'below', mode: 0o600}),
  tarMember({name: 'mail', uid: 8, gid: 8}),
  tarMember({name: 'spool', uid: 8, gid: 8}),
)
const UPPER = tarArchive(
  tarMember({...ROOT, name: 'etc/changed', data: 'above', mode: 0o644}),
  tarMember({...ROOT, name: 'etc/link', type: '2', target: '/etc/kept'}),
  tarMember({...ROOT, name: 'spool', data: 'roots by now'}),
)
const DIGEST = digestOf(Buffer.from('a manifest'))

test('layers are unpacked one on the other, and the upper one holds', async (t) => {
  const {root, unpacked} = await unpack(t, [LOWER, UPPER])
  assert.equal(readFileSync(join(root, 'etc/kept'), 'utf8'), 'below')
  assert.equal(readFileSync(join(root, 'etc/changed'), 'utf8'), 'above')
  assert.equal(statSync(join(root, 'etc/changed')).mode & 0o777, 0o644)
  assert.equal(readlinkSync(join(root, 'etc/link')), '/etc/kept')
  assert.deepEqual([unpacked.report.entries, unpacked.evidence.sha256], [8, DIGEST])
  assert.equal(unpacked.evidence.sizeBytes, LOWER.length + UPPER.length)
})

test('the ledger is of the whole tree: what an upper layer replaces is none of it', async (t) => {
  const {ledger, unpacked} = await unpack(t, [LOWER, UPPER])
  assert.deepEqual(
    readLedger(ledger).entries.map(({path, uid}) => [path, uid]),
    [['mail', 8]],
  )
  assert.equal(unpacked.report.losses.owners, 1)
})

test('each layer is held to its own digest', async (t) => {
  await assert.rejects(unpack(t, [LOWER, UPPER], {upper: digestOf(LOWER)}), {name: 'DigestMismatchError'})
})

async function unpack(
  t: TestContext,
  [lower, upper]: readonly [Buffer, Buffer],
  digests: {upper?: ReturnType<typeof digestOf>} = {},
): Promise<{root: string; ledger: string; unpacked: Unpacked}> {
  const {root, outside} = await extractionArena(t)
  const layerOf = (name: string, bytes: Buffer, digest = digestOf(bytes)): Layer => {
    const path = join(outside, name)
    writeFileSync(path, bytes)
    return {location: {kind: 'file', path}, digest, sizeBytes: bytes.length}
  }
  const layers = [layerOf('lower', lower), layerOf('upper', upper, digests.upper)] as const
  const image = await openImage(
    {
      kind: 'found',
      image: {
        source: 'test',
        digest: DIGEST,
        trust: {kind: 'digest'},
        content: {kind: 'layers', layers},
        label: undefined,
      },
    },
    {cacheFolder: join(outside, 'cache'), images: join(outside, 'images'), context: NOWHERE},
  )
  t.after(() => image.close())
  const ledger = join(outside, 'ledger')
  const target = {tree: BARE, root, owners: 'caller', ledger} as const
  const options = {isSynced: false, signal: new AbortController().signal, onProgress: () => {}}
  return {root, ledger, unpacked: await unpackImage(tarballs(image), target, options)}
}
