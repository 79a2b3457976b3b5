import assert from 'node:assert/strict'
import {test} from 'node:test'
import {parseLxcIndex} from '../../../../src/images/sources/listings.js'

const NAME = 'index-system'
const LINE = 'alpine;3.22;amd64;default;20260829_13:00;/images/alpine/3.22/amd64/default/20260829_13:00/'

test('reads a build a line', () => {
  const text = `${LINE}\ndebian;trixie;arm64;cloud;20260829_05:24;/images/debian/trixie/arm64/cloud/20260829_05:24/\n`
  assert.deepEqual(parseLxcIndex(Buffer.from(text), NAME), [
    {
      distribution: 'alpine',
      release: '3.22',
      architecture: 'amd64',
      variant: 'default',
      serial: '20260829_13:00',
      path: '/images/alpine/3.22/amd64/default/20260829_13:00/',
    },
    {
      distribution: 'debian',
      release: 'trixie',
      architecture: 'arm64',
      variant: 'cloud',
      serial: '20260829_05:24',
      path: '/images/debian/trixie/arm64/cloud/20260829_05:24/',
    },
  ])
})

for (const [what, line, reason] of [
  ['too few fields', LINE.replace('amd64;', ''), 'not six fields'],
  ['too many fields', `${LINE};x`, 'not six fields'],
  ["another image's path", LINE.replace('/images/alpine', '/images/debian'), "the path is not this image's"],
  ['another host', LINE.replace(';/images', ';//evil.example/images'), "the path is not this image's"],
  ['a way out', LINE.replace('3.22;', '..;'), 'not a name'],
  ['a name with a slash', LINE.replace('default;', 'a/b;'), 'not a name'],
  ['an empty name', LINE.replace('alpine;', ';'), 'not a name'],
  ['no serial', LINE.replace(';20260829_13:00;', ';latest;'), 'not a serial'],
  ['a web page', '<html>', 'not six fields'],
] as const) {
  test(`refuses ${what}`, () => {
    assert.throws(() => parseLxcIndex(Buffer.from(`\n${line}\n`), NAME), {
      name: 'MalformedListingError',
      message: `"index-system" is malformed at line 2: ${reason}.`,
    })
  })
}
