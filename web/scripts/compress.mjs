// Writes x.gz and x.br beside every compressible file of a built folder, so that the server only has to choose one.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const compressible = /\.(js|css|html|svg|json)$/;
const smallest_worth_compressing = 512;
const folder = process.argv[2] ?? 'dist';

const total = { raw: 0, gzip: 0, brotli: 0 };
for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !compressible.test(entry.name)) continue;
  const path = join(entry.parentPath, entry.name);
  const raw = readFileSync(path);
  if (raw.length < smallest_worth_compressing) continue;
  const gzip = gzipSync(raw, { level: 9 });
  const brotli = brotliCompressSync(raw, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  writeFileSync(`${path}.gz`, gzip);
  writeFileSync(`${path}.br`, brotli);
  total.raw += raw.length;
  total.gzip += gzip.length;
  total.brotli += brotli.length;
}
const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
console.log(`compressed: ${kib(total.raw)} → ${kib(total.gzip)} gzip, ${kib(total.brotli)} brotli`);
