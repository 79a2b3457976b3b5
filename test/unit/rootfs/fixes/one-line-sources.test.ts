import assert from 'node:assert/strict'
import {test} from 'node:test'
import {oneLineSources} from '../../../../src/apt/format/sources.js'

const URI = 'http://a.example/u'

for (const [what, text, expected] of [
  ['an entry', `deb ${URI} noble main`, [[URI, 'noble']]],
  ['a source entry', `deb-src ${URI} noble main`, [[URI, 'noble']]],
  ['odd spacing', `  deb\t ${URI}\t\tnoble   main  `, [[URI, 'noble']]],
  ['options', `deb [arch=amd64] ${URI} noble main`, [[URI, 'noble']]],
  [
    'options with spaces inside',
    `deb [ arch=amd64,i386  signed-by=/a.gpg ] ${URI} noble main`,
    [[URI, 'noble']],
  ],
  ['options with a number sign inside', `deb [signed-by=/a#b.gpg] ${URI} noble main`, [[URI, 'noble']]],
  ['options at once after the type', `deb [trusted=yes]${URI} noble main`, [[URI, 'noble']]],
  ['a comment at the end', `deb ${URI} noble main # the usual`, [[URI, 'noble']]],
  ['a comment right after the suite', `deb ${URI} noble#main`, [[URI, 'noble']]],
  [
    'line ends of Windows',
    `deb ${URI} noble main\r\ndeb ${URI}2 jammy\r\n`,
    [
      [URI, 'noble'],
      [`${URI}2`, 'jammy'],
    ],
  ],
  ['a flat repository', `deb ${URI} ./`, [[URI, './']]],
  ['an IPv6 address', 'deb http://[::1]:3142/u noble main', [['http://[::1]:3142/u', 'noble']]],
  [
    'a letter of two bytes, one a space to Unicode',
    `deb ${URI}\u00c3\u00a0 noble`,
    [[`${URI}\u00c3\u00a0`, 'noble']],
  ],
  ['a disabled entry', `# deb ${URI} noble main\n#deb ${URI} noble main`, []],
  ['an entry without a suite', `deb ${URI}`, []],
  ['an entry whose suite is a comment', `deb ${URI} # noble main`, []],
  ['a URI with a number sign', `deb ${URI}#x noble main`, []],
  ['a quoted URI', `deb "${URI}" noble main`, []],
  ['a disc', 'deb cdrom:[Ubuntu 24.04]/ noble main', []],
  ['options that never end', `deb [arch=amd64 ${URI} noble main`, []],
  ['another type', `rpm ${URI} noble main`, []],
  ['a type that only begins alike', `debs ${URI} noble main`, []],
  ['nothing', '', []],
] as const) {
  test(`one-line sources: ${what}`, () => {
    const found = oneLineSources.find(text)
    assert.deepEqual(
      found.map(({uri, suites}) => [uri, ...suites]),
      expected,
    )
    for (const {uri, start, end} of found) assert.equal(text.slice(start, end), uri)
  })
}

test('a percent sign is written so that APT reads it as one', () => {
  assert.equal(oneLineSources.quote('http://u:p%40@a.example/u'), 'http://u:p%2540@a.example/u')
})

test('a line of a megabyte is read at once', {timeout: 5000}, () => {
  for (const line of [
    ' '.repeat(2 ** 20),
    `deb ${' '.repeat(2 ** 20)}`,
    `deb [${' ['.repeat(2 ** 19)}`,
    'deb '.repeat(2 ** 18),
  ]) {
    oneLineSources.find(line)
  }
})
