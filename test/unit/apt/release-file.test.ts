import assert from 'node:assert/strict'
import {test} from 'node:test'
import {placeOf} from '../../../src/apt/context.js'
import {chooseIndices} from '../../../src/apt/index-file.js'
import {parseReleaseFile} from '../../../src/apt/release-file.js'
import {clearsignedText} from '../../../src/images/signature/verify.js'
import {fixture} from '../../support/fixture.js'

/** What Debian published on a day of November 2026, without its signature. */
function published(suite: string) {
  const place = placeOf('http://localhost/debian', suite)
  const text = clearsignedText(fixture(`debian/${suite}_InRelease`), suite)
  const [, body = ''] = text.split(/^Hash: SHA256$\n\n/m)
  return {place, file: parseReleaseFile(Buffer.from(body), place)}
}

test("Debian's Release for security names its components otherwise than its folders", () => {
  const {place, file} = published('trixie-security')
  const {suite, codename, date, validUntil, hasByHash, repeatsAll, components, architectures} = file
  assert.deepEqual(
    {suite, codename, date, validUntil, hasByHash, repeatsAll},
    {
      suite: 'stable-security',
      codename: 'trixie-security',
      date: new Date('2026-11-21T00:53:03Z'),
      validUntil: new Date('2026-11-28T00:53:03Z'),
      hasByHash: true,
      repeatsAll: true,
    },
  )
  assert.deepEqual(components, ['main', 'contrib', 'non-free-firmware', 'non-free'])
  assert.equal(architectures.length, 8)
  const options = {architecture: 'amd64', components: ['main'], hasXz: true} as const
  const [index] = chooseIndices({place, file}, options)
  assert.equal(index?.path, 'main/binary-amd64/Packages.xz')
  assert.equal(index?.byHashPath, `main/binary-amd64/by-hash/SHA256/${index?.sha256}`)
  assert.ok((index?.decodedBytes ?? 0) > (index?.sizeBytes ?? 0))
})

test("Debian's Release for updates has packages for all architectures in the index of each", () => {
  const {place, file} = published('trixie-updates')
  assert.equal(file.repeatsAll, true)
  const options = {architecture: 'arm64', components: ['main', 'contrib'], hasXz: false} as const
  // Only xz is published, so a host without the program has to do with it.
  assert.deepEqual(
    chooseIndices({place, file}, options).map(({path}) => path),
    ['main/binary-arm64/Packages.xz', 'contrib/binary-arm64/Packages.xz'],
  )
})

test('where the Release does not say so, the index of packages for all architectures is read as well', () => {
  const digest = 'a'.repeat(64)
  const text = `Codename: x
Date: Sat, 21 Nov 2026 00:53:03 UTC
Architectures: all amd64
Components: main
SHA256:
 ${digest} 5 main/binary-amd64/Packages.gz
 ${digest} 5 main/binary-all/Packages.gz
 ${digest} 5 main/binary-i386/Packages.gz
`
  const place = placeOf('http://localhost/debian', 'x')
  const file = parseReleaseFile(Buffer.from(text), place)
  const found = chooseIndices({place, file}, {architecture: 'amd64', components: ['main'], hasXz: true})
  assert.deepEqual(
    found.map(({path, byHashPath}) => [path, byHashPath]),
    [
      ['main/binary-amd64/Packages.gz', undefined],
      ['main/binary-all/Packages.gz', undefined],
    ],
  )
})

test('a Release without SHA-256 digests is refused', () => {
  const place = placeOf('http://localhost/debian', 'x')
  const text =
    'Codename: x\nDate: Sat, 21 Nov 2026 00:53:03 UTC\nMD5Sum:\n d41d8cd98f00b204e9800998ecf8427e 0 main/binary-amd64/Packages\n'
  assert.throws(() => parseReleaseFile(Buffer.from(text), place), {
    code: 'ENVS_RELEASE_MALFORMED',
    message: 'Could not use the Release of x at http://localhost/debian: it lists no SHA-256 digests.',
  })
})

const DIGEST = 'a'.repeat(64)
const SOUND = `Suite: stable
Codename: x
Date: Sat, 21 Nov 2026 00:53:03 UTC
Valid-Until: Sat, 28 Nov 2026 00:53:03 UTC
Architectures: all amd64
Components: main
Acquire-By-Hash: yes
No-Support-for-Architecture-all: Packages
SHA256:
 ${DIGEST} 5 main/binary-amd64/Packages.gz
`

for (const line of SOUND.split('\n').filter((text) => /^\S/.test(text))) {
  const [field = ''] = line.split(':')
  test(`a Release in which ${field} stands twice is refused`, () => {
    const place = placeOf('http://localhost/debian', 'x')
    assert.equal(parseReleaseFile(Buffer.from(SOUND), place).codename, 'x')
    for (const again of [line, line.toUpperCase()])
      assert.throws(() => parseReleaseFile(Buffer.from(`${again}\n${SOUND}`), place), {
        code: 'ENVS_RELEASE_MALFORMED',
        message: new RegExp(`it has the field ${field} twice`),
      })
  })
}

test('a Release that lists an index twice is refused', () => {
  const place = placeOf('http://localhost/debian', 'x')
  const again = ` ${'b'.repeat(64)} 5 main/binary-amd64/Packages.gz\n`
  assert.throws(() => parseReleaseFile(Buffer.from(SOUND + again), place), {
    code: 'ENVS_RELEASE_MALFORMED',
    message: /it lists main\/binary-amd64\/Packages\.gz twice/,
  })
})
