import assert from 'node:assert/strict'
import {test} from 'node:test'
import {proxyFor} from '../../../../src/host/http/proxy.js'

const HTTP = 'http://a.example/x'
const HTTPS = 'https://a.example/x'

for (const [what, url, environment, proxy] of [
  ['no variable, no proxy', HTTP, {}, undefined],
  ['http_proxy is for http', HTTP, {http_proxy: 'http://p:3128'}, 'http://p:3128/'],
  ['http_proxy is not for https', HTTPS, {http_proxy: 'http://p:3128'}, undefined],
  ['https_proxy is for https', HTTPS, {https_proxy: 'http://p:3128'}, 'http://p:3128/'],
  ['upper case is read too', HTTP, {HTTP_PROXY: 'http://p:3128'}, 'http://p:3128/'],
  ['lower case goes first', HTTP, {HTTP_PROXY: 'http://upper', http_proxy: 'http://lower'}, 'http://lower/'],
  ['an empty variable counts as none', HTTP, {http_proxy: ''}, undefined],
  ['all_proxy stands in', HTTPS, {all_proxy: 'http://p:3128'}, 'http://p:3128/'],
  ['a proxy without a scheme is an http one', HTTPS, {https_proxy: 'p:3128'}, 'http://p:3128/'],
] as const) {
  test(what, () => {
    assert.equal(proxyFor(new URL(url), environment)?.href, proxy)
  })
}

for (const environment of [{http_proxy: 'http://['}, {HTTP_PROXY: '://user:secret@p'}]) {
  const [name] = Object.keys(environment)
  test(`a value of ${name} that is no URL is refused, and not shown`, () => {
    assert.throws(() => proxyFor(new URL(HTTP), environment), {
      code: 'ENVS_USAGE',
      exitCode: 2,
      message: `The value of the variable ${name} is not the URL of a proxy.`,
    })
  })
}

test('a value that is no URL is of no matter for a host that needs no proxy', () => {
  assert.equal(proxyFor(new URL(HTTP), {http_proxy: 'http://[', no_proxy: 'a.example'}), undefined)
})

for (const [list, url, isExempt] of [
  ['*', 'http://a.example/', true],
  ['a.example', 'http://a.example/', true],
  ['A.Example', 'http://a.example/', true],
  ['example', 'http://a.example/', true],
  ['.example', 'http://a.example/', true],
  ['*.example', 'http://a.example/', true],
  ['ample', 'http://a.example/', false],
  ['b.a.example', 'http://a.example/', false],
  ['other, a.example', 'http://a.example/', true],
  ['other a.example', 'http://a.example/', true],
  ['a.example:80', 'http://a.example/', true],
  ['a.example:8080', 'http://a.example/', false],
  ['a.example:443', 'https://a.example/', true],
  ['10.0.0.0/8', 'http://10.1.2.3/', true],
  ['10.0.0.0/8', 'http://11.1.2.3/', false],
  ['10.0.0.0/99', 'http://10.1.2.3/', false],
  ['10.1.2.3', 'http://10.1.2.3/', true],
  ['2.3', 'http://10.1.2.3/', false],
  ['::1', 'http://[::1]/', true],
  ['[::1]:80', 'http://[::1]/', true],
  ['[::1]:81', 'http://[::1]/', false],
  ['fd00::/8', 'http://[fd12::1]/', true],
  ['fd00::/8', 'http://10.1.2.3/', false],
  ['', 'http://a.example/', false],
  [',', 'http://a.example/', false],
] as const) {
  test(`no_proxy=${JSON.stringify(list)} ${isExempt ? 'exempts' : 'does not exempt'} ${url}`, () => {
    const environment = {http_proxy: 'http://p', https_proxy: 'http://p', no_proxy: list}
    assert.equal(proxyFor(new URL(url), environment) === undefined, isExempt)
  })
}
