import { describe, expect, it } from 'vitest';
import { createWebhookTargets } from '../../../src/adapters/http/webhook-targets.ts';

/** Every name leads to these. */
const leadingTo = (addresses: readonly string[], allow: readonly string[] = []) =>
  createWebhookTargets(allow, async () =>
    addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
  );

describe('a name', () => {
  it.each([
    ['loopback', '127.0.0.1'],
    ['loopback', '127.9.9.9'],
    ['loopback of IPv6', '::1'],
    ['any', '0.0.0.0'],
    ['any of IPv6', '::'],
    ['private', '10.1.2.3'],
    ['private', '172.16.0.1'],
    ['private', '192.168.1.1'],
    ['carrier-grade NAT, and a metadata service', '100.100.100.200'],
    ['link-local, the metadata service', '169.254.169.254'],
    ['the metadata service of IPv6', 'fd00:ec2::254'],
    ['a metadata service', '192.0.0.192'],
    ['a metadata service at a public address', '168.63.129.16'],
    ['unique local', 'fc00::1'],
    ['link-local of IPv6', 'fe80::1'],
    ['multicast', '224.0.0.1'],
    ['multicast of IPv6', 'ff02::1'],
    ['broadcast', '255.255.255.255'],
    ['reserved', '240.0.0.1'],
    ['documentation', '203.0.113.1'],
    ['IPv4 in IPv6', '::ffff:127.0.0.1'],
    ['IPv4 in IPv6', '::ffff:a00:1'],
    ['IPv4 below IPv6', '::7f00:1'],
    ['IPv6 that nobody has', '4000::1'],
    ['IPv4 in NAT64', '64:ff9b::a9fe:a9fe'],
    ['IPv4 in 6to4', '2002:7f00:1::'],
    ['Teredo', '2001:0:a9fe:a9fe::1'],
  ])('that leads to %s (%s) is refused', async (_, address) => {
    await expect(leadingTo([address]).resolve('example.org', false)).rejects.toThrow(
      /expected example.org to have a public address, got .*PUSHFORWARD_WEBHOOK_ALLOW/,
    );
  });

  it('that leads to a public address is connected there, and nowhere else that it leads to', async () => {
    const targets = leadingTo(['10.0.0.1', '93.184.215.14', '2606:2800:21f:cb07:6820:80da:af6b:8b2c', '::1']);
    expect(await targets.resolve('example.org', false)).toEqual([
      { address: '93.184.215.14', family: 4 },
      { address: '2606:2800:21f:cb07:6820:80da:af6b:8b2c', family: 6 },
    ]);
    await expect(targets.resolve('example.org', true)).rejects.toThrow('without TLS');
  });

  it('that leads into a range that is allowed is connected, without TLS as well', async () => {
    const targets = leadingTo(['10.1.9.9', '10.2.0.1', '::ffff:10.1.0.1'], ['10.1.0.0/16', 'fd00::/8']);
    const open = [
      { address: '10.1.9.9', family: 4 },
      { address: '::ffff:10.1.0.1', family: 6 },
    ];
    expect(await targets.resolve('example.org', false)).toEqual(open);
    expect(await targets.resolve('example.org', true)).toEqual(open);
  });

  it('that leads nowhere is told so', async () => {
    await expect(leadingTo([]).resolve('example.org', false)).rejects.toThrow('got none');
  });
});

describe('a URL', () => {
  const check = (url: string, allow: readonly string[] = []) => leadingTo([], allow).checkUrl(url);

  it.each([
    ['no URL', 'nowhere', /got another/],
    ['another protocol', 'ftp://example.org/', /got another/],
    ['without TLS', 'http://example.org/', /got http:\/\/: use TLS/],
    ['with a password', 'https://user:word@example.org/', /set a header instead/],
    ['with a fragment', 'https://example.org/#part', /got a fragment/],
    ['a private address', 'https://10.0.0.1/', /got 10\.0\.0\.1/],
    ['a loopback address in another notation', 'https://0x7f.1/', /got 127\.0\.0\.1/],
    ['a loopback address as a number', 'https://2130706433/', /got 127\.0\.0\.1/],
    ['a loopback address of IPv6', 'https://[::1]:8443/', /got ::1/],
    ['IPv4 in IPv6', 'https://[::ffff:169.254.169.254]/', /got ::ffff:a9fe:a9fe/],
  ])('that is %s is refused', (_, url, message) => {
    expect(() => check(url)).toThrow(message);
    expect(() => check(url)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }) as Error);
  });

  it('of a public host is taken, and of what is allowed without TLS', () => {
    check('https://example.org/hooks?a=1');
    check('http://10.1.0.1:8080/', ['10.1.0.0/16']);
    check('http://hooks.internal/', ['10.1.0.0/16']);
    expect(() => check('http://10.2.0.1/', ['10.1.0.0/16'])).toThrow(/got 10\.2\.0\.1/);
  });
});

it('a range that is none is refused at the start', () => {
  expect(() => createWebhookTargets(['10.0.0.0'])).toThrow(/got 10.0.0.0: correct the environment/);
});
