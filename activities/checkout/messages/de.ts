/** German, formal. */
import type { Messages } from './messages.ts';

export const de: Messages = {
  greeting: 'Guten Tag {name},',
  confirmed: {
    subject: 'Ihre Bestellung {number} bei {shop} ist bestätigt',
    heading: 'Ihre Bestellung ist bestätigt',
    text: 'Vielen Dank für Ihre Bestellung. Ihre Zahlung ist eingegangen, und wir stellen Ihre Artikel zusammen.',
  },
  partial: {
    text: 'Vielen Dank für Ihre Bestellung. Ein Teil davon ist leider nicht verfügbar: Wir senden Ihnen, was vorrätig ist, und Sie zahlen nur dafür.',
    sent: 'Wir senden',
    unavailable: 'Nicht verfügbar',
    creditBack: 'Von Ihrem Guthaben schreiben wir Ihnen {amount} wieder gut.',
    released:
      'Von dem auf Ihrer Karte vorgemerkten Betrag geben wir {amount} frei; er wird nicht abgebucht.',
  },
  shipped: {
    subject: 'Ihre Bestellung {number} bei {shop} wurde versandt',
    heading: 'Ihre Bestellung wurde versandt',
    text: 'Ihre Bestellung ist auf dem Weg zu Ihnen.',
  },
  cancelled: {
    subject: 'Ihre Bestellung {number} bei {shop} wurde storniert',
    heading: 'Ihre Bestellung wurde storniert',
    reasons: {
      requested_by_customer: 'Ihre Bestellung wurde auf Ihren Wunsch storniert.',
      requested_by_operator: 'Ihre Bestellung wurde von unserem Team storniert.',
      warehouse_refused: 'Leider sind Ihre Artikel nicht mehr verfügbar.',
      payment_refused: 'Leider konnte Ihre Zahlung nicht abgeschlossen werden.',
      shipping_refused: 'Leider konnte Ihre Bestellung nicht versandt werden.',
      deadline_passed: 'Leider konnten wir Ihre Bestellung nicht rechtzeitig ausführen.',
      authorization_expiring: 'Leider konnten wir Ihre Bestellung nicht rechtzeitig ausführen.',
    },
    noCharge:
      'Ihnen entstehen keine Kosten: Einen vorgemerkten Betrag geben wir frei, einen abgebuchten erstatten wir vollständig.',
    creditBack: 'Das eingesetzte Guthaben schreiben wir Ihnen wieder gut.',
  },
  expired: {
    subject: 'Ihre Bestellung {number} bei {shop} kam nicht zustande',
    heading: 'Ihre Bestellung kam nicht zustande',
    text: 'Ihre Zahlung wurde nicht rechtzeitig bestätigt, daher konnten wir Ihre Bestellung nicht annehmen. Ihnen entstehen keine Kosten. Wenn Sie die Artikel noch möchten, bestellen Sie bitte erneut.',
  },
  refunded: {
    subject: 'Erstattung zu Ihrer Bestellung {number} bei {shop}',
    heading: 'Ihre Erstattung',
    whole: 'Wir haben Ihnen Ihre Bestellung vollständig erstattet: {amount}.',
    part: 'Wir haben Ihnen einen Teil Ihrer Bestellung erstattet: {amount}.',
    toCard:
      'Sie erhalten {amount} über das Zahlungsmittel zurück, mit dem Sie bezahlt haben. Der Betrag sollte in wenigen Tagen auf Ihrem Konto sein.',
    toCredit: 'Ihrem Guthaben haben wir {amount} gutgeschrieben.',
  },
  order: {
    title: 'Bestellung {number} vom {date}',
    item: 'Artikel',
    quantity: 'Menge',
    amount: 'Betrag',
    total: 'Gesamtbetrag',
    unavailable: 'Nicht verfügbar',
    due: 'Sie zahlen',
    byCredit: 'Mit Guthaben bezahlt',
    byCard: 'Mit Karte bezahlt',
  },
  shipment: {
    carrier: 'Paketdienst',
    unknownCarrier: 'unbekannt',
    trackingNumber: 'Sendungsnummer',
    untracked: 'Der Paketdienst meldet sich bei Ihnen wegen der Zustellung.',
  },
  orderLink: 'Bestellung ansehen',
  sms: {
    shipped: '{shop}: Ihre Bestellung {number} wurde versandt.',
    expired:
      '{shop}: Ihre Zahlung wurde nicht rechtzeitig bestätigt, Bestellung {number} kam nicht zustande.',
  },
  footer: 'Sie erhalten diese E-Mail, weil Sie bei {shop} bestellt haben.',
};
