import { createRoot } from 'react-dom/client';
import { adoptTokenFromAddress } from './api/token';
import { App, makeQueryClient } from './App';
import { restoreTheme } from './components/theme';
import './index.css';
import { browserLive } from './live/context';
import { makeRouter } from './router';

restoreTheme();
adoptTokenFromAddress();
// A link with a token that is opened in a tab which already shows Muster only changes the hash.
window.addEventListener('hashchange', adoptTokenFromAddress);

const root = document.getElementById('root');
if (root) createRoot(root).render(<App live={browserLive()} queries={makeQueryClient()} router={makeRouter()} />);
