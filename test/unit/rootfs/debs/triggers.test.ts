import assert from 'node:assert/strict'
import {test} from 'node:test'
import {interestFiles, interestsOf} from '../../../../src/rootfs/debs/dpkg-database.js'

function control(name: string, triggers: string, isMultiArchSame = false) {
  const files = new Map([['triggers', {content: Buffer.from(triggers), mode: 0o644, modified: '0'}]])
  const rest = {version: '1', architecture: 'amd64', replaces: new Set<string>(), paragraph: '', files}
  return {name, isMultiArchSame, ...rest}
}

test('notes who is to be told of a path in one file, and of any other trigger in one of its name', () => {
  const interests = [
    control('man-db', 'interest-noawait /usr/share/man\n'),
    control('libc-bin', '# why\ninterest-await ldconfig\n'),
    control('gtk', 'interest /usr/lib/gtk\nactivate-noawait ldconfig\n', true),
  ].map(interestsOf)
  assert.deepEqual(
    [...interestFiles(interests)],
    [
      ['File', '/usr/share/man man-db/noawait\n/usr/lib/gtk gtk:amd64\n'],
      ['ldconfig', 'libc-bin\n'],
    ],
  )
})

for (const trigger of ['../status', 'a/b', '.', 'with blank', '']) {
  test(`takes ${JSON.stringify(trigger)} for no trigger, since it would become a path`, () => {
    assert.deepEqual(interestsOf(control('evil', `interest ${trigger}\n`)).wants, [])
  })
}
