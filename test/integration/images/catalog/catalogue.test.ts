import assert from 'node:assert/strict'
import {mkdtemp, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {
  newestLts,
  readCatalogue,
  releaseWords,
  resolveRelease,
} from '../../../../src/images/catalog/catalog.js'
import {temporaryFolder} from '../../../support/temporary-folder.js'

const catalogue = await readCatalogue([])
const NOW = new Date('2026-11-24T00:00:00Z')

for (const [word, distribution, codename] of [
  ['focal', 'ubuntu', 'focal'],
  ['20.04', 'ubuntu', 'focal'],
  ['6.06', 'ubuntu', 'dapper'],
  ['ubuntu', 'ubuntu', 'resolute'],
  ['trixie', 'debian', 'trixie'],
  ['12', 'debian', 'bookworm'],
  ['debian', 'debian', 'trixie'],
  ['stable', 'debian', 'trixie'],
  ['oldstable', 'debian', 'bookworm'],
  ['oldoldstable', 'debian', 'bullseye'],
  ['testing', 'debian', 'forky'],
  ['unstable', 'debian', 'sid'],
  ['sid', 'debian', 'sid'],
] as const) {
  test(`in November 2026 ${word} stands for ${distribution} ${codename}`, () => {
    const release = resolveRelease(word, catalogue, NOW)
    assert.deepEqual([release?.distribution, release?.codename], [distribution, codename])
  })
}

test('no word stands for a release of two distributions', () => {
  const words = releaseWords(catalogue)
  assert.deepEqual(
    words.filter((word, index) => words.indexOf(word) !== index),
    [],
  )
})

for (const word of ['', 'focl', '20.4', '20.04.5', 'constructor']) {
  test(`${JSON.stringify(word)} stands for nothing`, () => {
    assert.equal(resolveRelease(word, catalogue, NOW), undefined)
  })
}

for (const [now, codename] of [
  ['2026-04-22T23:00:00Z', 'noble'],
  ['2026-04-23T00:00:00Z', 'resolute'],
] as const) {
  test(`at ${now} the newest long-term release is ${codename}`, () => {
    assert.equal(newestLts(catalogue, new Date(now))?.codename, codename)
  })
}

const ROW = '28.04 LTS,Zany Zebra,zany,2027-10-14,2028-04-20,2033-05-29'

async function folderWith(parent: string, text: string): Promise<string> {
  const folder = await mkdtemp(join(parent, 'distro-info-'))
  await writeFile(join(folder, 'ubuntu.csv'), text)
  return folder
}

test('a table of the host that knows more releases is used instead of the one built in', async (t) => {
  const rows = catalogue.releases
    .filter(({distribution}) => distribution === 'ubuntu')
    .map(({codename}) => `,X,${codename},2020-01-01,,`)
  const folder = await folderWith(
    await temporaryFolder(t),
    ['version,codename,series,created,release,eol', ...rows, ROW, ''].join('\n'),
  )
  const newer = await readCatalogue([folder])
  assert.equal(resolveRelease('28.04', newer, NOW)?.codename, 'zany')
  assert.equal(resolveRelease('trixie', newer, NOW)?.version, '13')
})

for (const [what, text] of [
  ['an older table', `version,codename,series,created,release,eol\n${ROW}\n`],
  ['a damaged table', `not a table\n${ROW}\n`],
] as const) {
  test(`${what} of the host is passed over`, async (t) => {
    const folder = await folderWith(await temporaryFolder(t), text)
    assert.deepEqual(await readCatalogue([folder]), catalogue)
  })
}

test('a host without tables does with those built in', async (t) => {
  assert.deepEqual(await readCatalogue([join(await temporaryFolder(t), 'none')]), catalogue)
})
