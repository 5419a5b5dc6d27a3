import { useState } from 'react';
import { signIn, useSession } from '../api/token';
import { Logo } from './Logo';

/** Asks for a token; shown instead of the dashboard while there is none that the server accepts. */
export function SignIn() {
  const { rejected } = useSession();
  const [token, setToken] = useState('');
  return (
    <main className="grid min-h-dvh place-items-center p-4">
      <form
        className="panel w-full max-w-[380px] p-5"
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim()) signIn(token);
        }}
      >
        <div className="flex items-center gap-2.5">
          <Logo />
          <h1 className="text-[15px] font-semibold tracking-tight">Sign in to Muster</h1>
        </div>
        <p className="mt-2 mb-4 text-fg2">
          Paste an API token. Muster prints a link that carries one when it starts; an administrator can give you another.
        </p>
        <label htmlFor="token" className="cap mb-1 block">
          API token
        </label>
        <input
          id="token"
          type="password"
          autoComplete="current-password"
          autoFocus
          className="field mono"
          value={token}
          aria-invalid={rejected}
          aria-describedby={rejected ? 'token-rejected' : undefined}
          onChange={(event) => setToken(event.target.value)}
        />
        {rejected && (
          <p id="token-rejected" role="alert" className="mt-1.5 text-bad">
            The server does not accept the last token.
          </p>
        )}
        <button type="submit" className="button button-primary mt-4 w-full" disabled={!token.trim()}>
          Sign in
        </button>
      </form>
    </main>
  );
}
