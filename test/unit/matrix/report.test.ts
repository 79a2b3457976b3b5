import assert from 'node:assert/strict'
import {test} from 'node:test'
import {renderDocument, replaceServices, servicesOf} from '../../../matrix/report.js'
import type {Outcome} from '../../../matrix/trial.js'

const FACTS = {
  date: '2026-11-26',
  guest: 'Debian GNU/Linux 13.2 (trixie), amd64',
  envs: '0.1.0',
  kernel: '6.12.0',
  bubblewrap: '0.11.0',
  utilLinux: '2.41',
  node: 'v20.20.2',
}

const CRON: Outcome = {
  package: 'cron',
  identity: 'mapped',
  version: '3.0',
  installMs: 1600,
  claim: 'a job of a crontab runs',
  failure: undefined,
}

test('the document has a line for each package, with both identities and what was seen', () => {
  const document = renderDocument(FACTS, {
    outcomes: [CRON, {...CRON, identity: 'emulated', installMs: 2400}],
    services: '| kept |\n',
  })
  assert.match(document, /^\| package \| version \| mapped \| emulated \| what else was seen \|$/m)
  assert.match(document, /^\| cron \| 3\.0 \| ok, 2 s \| ok, 2 s \| a job of a crontab runs \|$/m)
  assert.match(document, /^2 of 2 ok\.$/m)
})

test('the document shows a failure in its cell, its note and with the last lines of the output', () => {
  const failure = {step: 'check: a job of a crontab runs', status: 1, lastLines: ['one', 'two']}
  const document = renderDocument(FACTS, {
    outcomes: [CRON, {...CRON, identity: 'emulated', failure}],
    services: '',
  })
  assert.match(
    document,
    /^\| cron \| 3\.0 \| ok, 2 s \| \*\*failed\*\* \| a job of a crontab runs; emulated: check: a job of a crontab runs failed \|$/m,
  )
  assert.match(document, /^1 of 2 ok\.$/m)
  assert.ok(
    document.includes(
      '\n## cron, emulated\n\ncheck: a job of a crontab runs ended with status 1:\n\n    one\n    two\n',
    ),
  )
})

test('the part about services stays when the packages are written, and goes alone when it is written', () => {
  const page = renderDocument(FACTS, {outcomes: [CRON], services: '| kept |\n'})
  assert.equal(servicesOf(page), '| kept |\n')
  const other = replaceServices(page, '| new |')
  assert.equal(servicesOf(other), '| new |\n')
  assert.equal(replaceServices(other, '| kept |'), page)
  assert.throws(() => servicesOf('# Compatibility\n'), /has no line <!-- services -->/)
})
