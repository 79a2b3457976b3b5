import assert from 'node:assert/strict'
import {test} from 'node:test'
import {redactUrl} from '../../../../src/host/http/client.js'

for (const [url, shown] of [
  ['https://host/a/b.tar', 'https://host/a/b.tar'],
  ['https://user:secret@host/a', 'https://***:***@host/a'],
  ['https://token@host/a', 'https://***@host/a'],
  ['https://host/a?X-Signature=secret', 'https://host/a?***'],
] as const) {
  test(`${url} is shown as ${shown}`, () => {
    assert.equal(redactUrl(new URL(url)), shown)
  })
}
