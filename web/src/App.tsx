import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { useEffect } from 'react';
import { ApiError } from './api/client';
import { useSession } from './api/token';
import { SignIn } from './components/SignIn';
import { LiveContext } from './live/context';
import type { LiveStore } from './live/store';
import type { makeRouter } from './router';

/** An answer that will not change by asking again is not asked again. */
const worthRetrying = (error: unknown): boolean => !(error instanceof ApiError) || error.status === 0 || error.status >= 500;

export const makeQueryClient = (): QueryClient =>
  new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 2000,
        retry: (failures, error) => failures < 2 && worthRetrying(error),
        refetchOnWindowFocus: false,
      },
    },
  });

interface Props {
  live: LiveStore;
  queries: QueryClient;
  router: ReturnType<typeof makeRouter>;
}

export function App({ live, queries, router }: Props) {
  const { token } = useSession();
  useEffect(() => {
    if (!token) return;
    live.start();
    return () => {
      live.stop();
      queries.clear(); // what one token may see is not shown to the next
    };
  }, [token, live, queries]);
  if (!token) return <SignIn />;
  return (
    <QueryClientProvider client={queries}>
      <LiveContext value={live}>
        <RouterProvider router={router} />
      </LiveContext>
    </QueryClientProvider>
  );
}
