import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import {mkdir, writeFile} from 'node:fs/promises'
import type {IncomingMessage, ServerResponse} from 'node:http'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {text} from 'node:stream/consumers'
import {makeCertificate, type TestCertificate} from './certificate.js'
import type {Scope} from './cli.js'
import {type Seen, startServer} from './http-server.js'
import {signedToken, type TokenAccess} from './registry-token.js'
import {temporaryFolder} from './temporary-folder.js'

/** How a registry is reached: over HTTP by anybody, or over TLS by those who sign in, with a password or with a bearer token. */
export type RegistryMode = 'plain' | 'basic' | 'token'

/** The account that the registries of modes `basic` and `token` know. */
export const TESTER = {user: 'tester', password: 'secret', identityToken: 'refresh-secret'} as const

/** TESTER of htpasswd(1), by bcrypt. */
const HTPASSWD = 'tester:$2y$05$MY0e3Y42V3z1qkNecSIDYOJUEbtJndt9MktMJPQgPEoqVuewa2kje\n'

export type TestRegistry = {
  /** `127.0.0.1:PORT`, or `localhost:PORT` with TLS. */
  readonly host: string
  readonly origin: URL
  /** The certificate of the registry and of its token server, which vouches for itself; undefined without TLS. */
  readonly certificate: TestCertificate | undefined
  /** A folder for the setting `registries.certificates`, with that certificate for both servers. */
  readonly certificates: string
  /** Where the registry keeps its data; another registry can share it. */
  readonly data: string
  /** What the token server was asked for, in the order it came. */
  readonly tokenRequests: readonly (Seen & {readonly fields: URLSearchParams})[]
  /** The registry's own log so far. */
  log(): string
  /** Ends it before the test does, as a registry that is down. */
  stop(): Promise<void>
}

type Options = {
  /** The data of another registry; a folder of its own otherwise. */
  readonly data?: string
  /** How many of the first tokens have expired when they are given. */
  readonly expiredTokens?: number
}

/** Debian's docker-registry on a free port of the loopback, which ends with the test. */
export async function startRegistry(
  t: Scope,
  mode: RegistryMode,
  {data, expiredTokens = 0}: Options = {},
): Promise<TestRegistry> {
  const folder = await temporaryFolder(t)
  const certificate = mode === 'plain' ? undefined : requiredCertificate(folder)
  const tokenRequests: (Seen & {readonly fields: URLSearchParams})[] = []
  const realm =
    certificate === undefined || mode !== 'token'
      ? undefined
      : await startTokenServer(t, certificate, {expiredTokens, seen: tokenRequests})
  const storage = data ?? join(folder, 'data')
  const configuration = join(folder, 'registry.yml')
  await writeFile(join(folder, 'htpasswd'), HTPASSWD)
  await writeFile(
    configuration,
    // JSON is YAML.
    JSON.stringify({
      version: 0.1,
      log: {level: 'info', accesslog: {disabled: false}},
      storage: {filesystem: {rootdirectory: storage}, delete: {enabled: true}},
      http: {
        addr: '127.0.0.1:0',
        ...(certificate === undefined
          ? {}
          : {tls: {certificate: certificate.path, key: join(folder, 'key.pem')}}),
      },
      ...(mode === 'basic' ? {auth: {htpasswd: {realm: 'test', path: join(folder, 'htpasswd')}}} : {}),
      ...(realm === undefined || certificate === undefined
        ? {}
        : {
            auth: {
              token: {
                realm,
                service: 'test-registry',
                issuer: 'test-issuer',
                rootcertbundle: certificate.path,
              },
            },
          }),
    }),
  )
  const {child, port, log} = await startProgram(configuration)
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  t.after(stop)
  const name = certificate === undefined ? '127.0.0.1' : 'localhost'
  const host = `${name}:${port}`
  const certificates = join(folder, 'certificates')
  for (const each of [host, ...(realm === undefined ? [] : [new URL(realm).host])]) {
    await mkdir(join(certificates, each), {recursive: true})
    if (certificate !== undefined) await writeFile(join(certificates, each, 'ca.crt'), certificate.cert)
  }
  return {
    host,
    origin: new URL(`${certificate === undefined ? 'http' : 'https'}://${host}/`),
    certificate,
    certificates,
    data: storage,
    tokenRequests,
    log,
    stop,
  }
}

function requiredCertificate(folder: string): TestCertificate {
  const certificate = makeCertificate(folder)
  if (certificate === undefined) throw new Error('openssl is missing: install openssl')
  return certificate
}

type Started = {readonly child: ChildProcess; readonly port: number; readonly log: () => string}

/** Starts the program, and waits for the port in its log. */
async function startProgram(configuration: string): Promise<Started> {
  const child = spawn('docker-registry', ['serve', configuration], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {PATH: process.env['PATH'], OTEL_TRACES_EXPORTER: 'none'},
  })
  const lines: string[] = []
  const log = () => lines.join('\n')
  const port = new Promise<number>((resolve, reject) => {
    child.once('error', () => reject(new Error('docker-registry is missing: install docker-registry')))
    child.once('exit', () => reject(new Error(`docker-registry ended: ${log()}`)))
    createInterface({input: child.stderr}).on('line', (line) => {
      lines.push(line)
      const found = /msg="listening on 127\.0\.0\.1:(?<port>\d+)/.exec(line)?.groups?.['port']
      if (found !== undefined) resolve(Number(found))
    })
  })
  return {child, port: await port, log}
}

type TokenServerOptions = {
  readonly expiredTokens: number
  readonly seen: (Seen & {readonly fields: URLSearchParams})[]
}

/**
 * The token service of a registry: TESTER gets all scopes that are asked for, anybody else `pull` of names below `public/`.
 *
 * @returns The URL of its realm.
 */
async function startTokenServer(
  t: Scope,
  certificate: TestCertificate,
  {expiredTokens, seen}: TokenServerOptions,
): Promise<string> {
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '/', 'https://localhost')
    const fields = request.method === 'POST' ? new URLSearchParams(await text(request)) : url.searchParams
    seen.push({method: request.method, target: request.url, headers: request.headers, fields})
    const {authorization} = request.headers
    const isKnown = isTester(authorization) || fields.get('refresh_token') === TESTER.identityToken
    if (!isKnown && (authorization !== undefined || fields.has('refresh_token'))) {
      response.writeHead(401).end()
      return
    }
    const scopes = fields.getAll('scope').flatMap((each) => each.split(' '))
    const token = signedToken(certificate, {
      subject: isKnown ? TESTER.user : '',
      access: scopes.flatMap((scope) => accessOf(scope, isKnown)),
      // The registry takes a token for a minute after its end.
      seconds: seen.length <= expiredTokens ? -3600 : 60,
    })
    response.writeHead(200, {'content-type': 'application/json'})
    response.end(JSON.stringify({token, access_token: token, expires_in: 60}))
  }
  const server = await startServer(t, (request, response) => void answer(request, response), {
    tls: certificate,
  })
  return `https://localhost:${server.origin.port}/token`
}

function isTester(header: string | undefined): boolean {
  return header === `Basic ${Buffer.from(`${TESTER.user}:${TESTER.password}`).toString('base64')}`
}

function accessOf(scope: string, isKnown: boolean): TokenAccess[] {
  const {
    type = '',
    name = '',
    actions = '',
  } = /^(?<type>[^:]+):(?<name>.+):(?<actions>[^:]+)$/.exec(scope)?.groups ?? {}
  if (isKnown) return [{type, name, actions: actions.split(',')}]
  if (!name.startsWith('public/')) return []
  return [{type, name, actions: actions.split(',').filter((action) => action === 'pull')}]
}
