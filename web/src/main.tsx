import { createRoot } from 'react-dom/client';
import { adoptTokenFromAddress } from './api/token';
import { App, makeQueryClient } from './App';
import { restoreTheme } from './components/theme';
import './index.css';
import { browserLive } from './live/context';
import { makeRouter, preloadPages } from './router';

restoreTheme();
adoptTokenFromAddress();
// A link with a token that is opened in a tab which already shows Muster only changes the hash.
window.addEventListener('hashchange', adoptTokenFromAddress);

/** After the first page has its data. */
const preloadAfter_ms = 3000;
setTimeout(() => void preloadPages(), preloadAfter_ms);

const root = document.getElementById('root');
if (root) createRoot(root).render(<App live={browserLive()} queries={makeQueryClient()} router={makeRouter()} />);
