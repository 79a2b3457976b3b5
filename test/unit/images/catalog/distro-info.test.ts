import assert from 'node:assert/strict'
import {test} from 'node:test'
import {isEol, parseDistroInfo} from '../../../../src/images/catalog/catalog.js'

const HEAD = 'version,codename,series,created,release,eol,eol-server,eol-esm,eol-legacy\n'
const OF = {distribution: 'ubuntu', name: 'ubuntu.csv'} as const
const day = (text: string) => new Date(`${text}T00:00:00Z`)

test('a long-term release has all its dates', () => {
  const line =
    '20.04 LTS,Focal Fossa,focal,2019-10-17,2020-04-23,2025-05-29,2025-05-29,2030-04-23,2032-04-27\n'
  assert.deepEqual(parseDistroInfo(HEAD + line, OF), [
    {
      distribution: 'ubuntu',
      codename: 'focal',
      title: 'Focal Fossa',
      version: '20.04',
      isLts: true,
      created: day('2019-10-17'),
      released: day('2020-04-23'),
      eol: {standard: day('2025-05-29'), extended: day('2030-04-23'), legacy: day('2032-04-27')},
    },
  ])
})

test("Debian's columns are read by their names", () => {
  const text =
    'version,codename,series,created,release,eol,eol-lts,eol-elts\n12,Bookworm,bookworm,2021-08-14,2023-06-10,2026-07-11,2028-06-30,2033-06-30\n'
  assert.deepEqual(parseDistroInfo(text, {distribution: 'debian', name: 'debian.csv'})[0]?.eol, {
    standard: day('2026-07-11'),
    extended: day('2028-06-30'),
    legacy: day('2033-06-30'),
  })
})

test('a release without a version and dates has none', () => {
  const [sid] = parseDistroInfo(`${HEAD},Sid,sid,1993-08-16\n`, OF)
  assert.equal(sid?.version, undefined)
  assert.equal(sid?.released, undefined)
  assert.deepEqual(sid?.eol, {standard: undefined, extended: undefined, legacy: undefined})
})

test('a column that is not known yet does no harm', () => {
  const text =
    'eol-new,version,codename,series,created,release,eol\n2040-01-01,30.04 LTS,X,xx,2029-10-01,2030-04-23,2035-05-29\n'
  assert.equal(parseDistroInfo(text, OF)[0]?.version, '30.04')
})

for (const [now, expected] of [
  ['2025-05-28T12:00:00Z', false],
  ['2025-05-29T23:59:59Z', false],
  ['2025-05-30T00:00:00Z', true],
] as const) {
  test(`at ${now} a release supported until 2025-05-29 is ${expected ? '' : 'not '}past its end of life`, () => {
    const [focal] = parseDistroInfo(
      `${HEAD}20.04 LTS,Focal Fossa,focal,2019-10-17,2020-04-23,2025-05-29\n`,
      OF,
    )
    assert(focal)
    assert.equal(isEol(focal, new Date(now)), expected)
  })
}

for (const [what, text, line, reason] of [
  ['a missing column', 'version,codename,created,release,eol\n', 1, 'no column series'],
  ['an empty file', '', 1, 'no column version'],
  ['a codename that is none', `${HEAD}1,X,../x,2020-01-01\n`, 2, 'series is not a codename'],
  ['a version that is none', `${HEAD}x,X,xx,2020-01-01\n`, 2, 'version is not a number'],
  ['a day that is none', `${HEAD}\n1,X,xx,2020-01-01,2024-02-31\n`, 3, 'release is not a day'],
  ['a day in another form', `${HEAD}1,X,xx,1 January 2020\n`, 2, 'created is not a day'],
  ['no first day', `${HEAD}1,X,xx\n`, 2, 'created is missing'],
  ['a flood of lines', `${HEAD}${'\n'.repeat(1000)}`, 1000, 'too many lines'],
] as const) {
  test(`refuses ${what}`, () => {
    assert.throws(() => parseDistroInfo(text, OF), {
      name: 'MalformedListingError',
      message: `"ubuntu.csv" is malformed at line ${line}: ${reason}.`,
    })
  })
}
