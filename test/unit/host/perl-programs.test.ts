import assert from 'node:assert/strict'
import {readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {test} from 'node:test'
import {packageRoot} from '../../../src/host/paths.js'

/** perlre(1): Perl before 5.30, as of Ubuntu 18.04, refuses larger ones when it compiles; 5.36 takes 65,534. */
const LARGEST_QUANTIFIER = 32_766

const programs = readdirSync(join(packageRoot(), 'templates'), {recursive: true, encoding: 'utf8'})
  .filter((path) => /\.p[lm]$/.test(path))
  .map((path) => ({path, text: readFileSync(join(packageRoot(), 'templates', path), 'utf8')}))

test('no quantifier of a Perl program is larger than older Perls take', () => {
  const found = programs.flatMap(({path, text}) => {
    const constants = new Map(
      [...text.matchAll(/\$([A-Z_]+) = ([\d_]+);/g)].map(([, name, value]) => [name, value]),
    )
    return [...text.matchAll(/[\])]\{(?:\d+,)?(?:\$([A-Z_]+)|(\d+))\}/g)].map(
      ([quantifier, name, digits]) => ({
        path,
        quantifier,
        most: Number((digits ?? constants.get(name) ?? 'NaN').replaceAll('_', '')),
      }),
    )
  })
  assert.ok(found.some(({path}) => path.endsWith('show-logs.pl')))
  assert.deepEqual(
    found.filter(({most}) => !(most <= LARGEST_QUANTIFIER)),
    [],
  )
})
