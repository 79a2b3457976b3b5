import {createCleartextMessage, createMessage, generateKey, type PrivateKey, sign} from 'openpgp'

/** A key made for one test, and what it signs. */
export type Signer = {
  /** As the program shows it: 40 upper-case digits. */
  readonly fingerprint: string
  readonly privateKey: PrivateKey
  /** Armoured. */
  readonly publicKey: string
  /** An armoured detached signature over the bytes. */
  detached(bytes: Buffer, options?: SignOptions): Promise<Buffer>
  /** A binary one. */
  binary(bytes: Buffer, options?: SignOptions): Promise<Buffer>
  clearsigned(text: string, options?: SignOptions): Promise<Buffer>
}

type SignOptions = {readonly date?: Date}

type KeyOptions = {readonly name?: string; readonly lifetimeSeconds?: number}

/** Keys sign from their first second on, and clocks of tests are turned back. */
const KEY_MADE = new Date('2020-01-01T00:00:00Z')

/** @param lifetimeSeconds - From the first day of 2020 on, when all keys of tests are made. */
export async function makeSigner({
  name = 'Test Publisher',
  lifetimeSeconds,
}: KeyOptions = {}): Promise<Signer> {
  const {privateKey} = await generateKey({
    userIDs: [{name, email: 'publisher@example.org'}],
    format: 'object',
    subkeys: [],
    date: KEY_MADE,
    ...(lifetimeSeconds === undefined ? {} : {keyExpirationTime: lifetimeSeconds}),
  })
  const signing = ({date = new Date()}: SignOptions = {}) => ({signingKeys: privateKey, date})
  const options = async (bytes: Buffer, own?: SignOptions) => ({
    message: await createMessage({binary: new Uint8Array(bytes)}),
    detached: true as const,
    ...signing(own),
  })
  return {
    fingerprint: privateKey.getFingerprint().toUpperCase(),
    privateKey,
    publicKey: privateKey.toPublic().armor(),
    detached: async (bytes, own) =>
      Buffer.from(await sign({...(await options(bytes, own)), format: 'armored'})),
    binary: async (bytes, own) => Buffer.from(await sign({...(await options(bytes, own)), format: 'binary'})),
    clearsigned: async (text, own) =>
      Buffer.from(await sign({message: await createCleartextMessage({text}), ...signing(own)})),
  }
}
