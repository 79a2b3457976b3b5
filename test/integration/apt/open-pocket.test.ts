import assert from 'node:assert/strict'
import {test} from 'node:test'
import {openPocket} from '../../../src/apt/open-pocket.js'
import {type Pocket, pocketsOf} from '../../../src/apt/pockets.js'
import {openArchive} from '../../support/archive.js'
import {type ArchiveClient, clientOf, NOBLE} from '../../support/archive-context.js'
import {SYSTEM} from '../../support/refused-archive.js'
import {makeSigner} from '../../support/signer.js'

const NOWHERE = 'http://127.0.0.1:1/ubuntu'

function pocketNamed(name: Pocket['name']): Pocket {
  const found = pocketsOf(NOBLE.release).find((pocket) => pocket.name === name)
  assert.ok(found)
  return found
}

function open(pocket: Pocket, mirrors: readonly (string | undefined)[], {context}: ArchiveClient) {
  const named = mirrors.flatMap((mirror) => mirror ?? [])
  return openPocket({...pocket, mirrors: named}, {...NOBLE, components: ['main'], context, onIndex: () => {}})
}

async function givenTwo(t: Parameters<typeof openArchive>[0]) {
  const signer = await makeSigner()
  const options = {distribution: 'ubuntu', suite: 'noble', packages: SYSTEM, signer} as const
  const [first, second] = [await openArchive(t, options), await openArchive(t, options)]
  const keyrings = [...first.keyrings, ...second.keyrings]
  return {first, second, client: await clientOf(t, {...first, keyrings})}
}

test('a mirror that does not have the suite is passed over', async (t) => {
  const {first, second, client} = await givenTwo(t)
  first.withdraw('release')
  const opened = await open(pocketNamed('release'), [first.mirrors.ubuntu, second.mirrors.ubuntu], client)
  assert.equal(opened?.used.mirror, second.mirrors.ubuntu)
})

test('a mirror whose Release lists an architecture that it has no index of is passed over', async (t) => {
  const {first, second, client} = await givenTwo(t)
  for (const path of first.files.keys()) if (path.includes('/binary-amd64/')) first.files.delete(path)
  const opened = await open(pocketNamed('release'), [first.mirrors.ubuntu, second.mirrors.ubuntu], client)
  assert.equal(opened?.used.mirror, second.mirrors.ubuntu)
})

test('where the last mirror lacks it as well, the first is told', async (t) => {
  const {first, second, client} = await givenTwo(t)
  for (const {files} of [first, second])
    for (const path of files.keys()) if (path.includes('/binary-amd64/')) files.delete(path)
  await assert.rejects(open(pocketNamed('release'), [first.mirrors.ubuntu, second.mirrors.ubuntu], client), {
    code: 'ENVS_INDEX_MISSING',
    message: `${first.mirrors.ubuntu} does not have main/binary-amd64/Packages.xz of noble.`,
  })
})

test('a pocket that a mirror lacks is left out where the publisher is out of reach', async (t) => {
  const {first, client} = await givenTwo(t)
  first.withdraw('updates')
  assert.equal(await open(pocketNamed('updates'), [first.mirrors.ubuntu, NOWHERE], client), undefined)
  assert.deepEqual(client.notices, [
    {kind: 'pocket-missing', suite: 'noble-updates', mirror: first.mirrors.ubuntu},
  ])
})

test('the release itself is not left out', async (t) => {
  const {first, client} = await givenTwo(t)
  first.withdraw('release')
  await assert.rejects(open(pocketNamed('release'), [first.mirrors.ubuntu, NOWHERE], client), {
    code: 'ENVS_ARCHIVE_UNREACHABLE',
  })
})

test('what a mirror says wrong is no reason to ask the next', async (t) => {
  const {first, second, client} = await givenTwo(t)
  await first.publish('release', {packages: SYSTEM, signer: await makeSigner()})
  await assert.rejects(open(pocketNamed('release'), [first.mirrors.ubuntu, second.mirrors.ubuntu], client), {
    code: 'ENVS_UNKNOWN_SIGNER',
  })
})
