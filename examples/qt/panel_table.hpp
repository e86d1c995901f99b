// What the license panel shows, made of the table that every renderer of the project reads
// (panel/table.json, which says what the facts are; panel.qrc puts it into the program).
#ifndef SEATLOCK_PANEL_TABLE_HPP
#define SEATLOCK_PANEL_TABLE_HPP

#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QList>
#include <QMap>
#include <QString>

namespace seatlock_panel {

/// By their names in the table. One that is not there is an empty one.
using facts = QMap<QString, QString>;

/// A text to show, or a fact with its label, or a link. Roles are prompt, locked, warning, licensed,
/// done, failed, text, fact, link.
struct line {
    QString role, label, value;
};
/// What a person can enter: secret (masked), check (yes or no), save and open (paths of files).
struct field {
    QString name, kind, label, value;
};
/// What a person can press, and what it does: a verb of the client, or view, copy, open and a name.
struct button {
    QString name, label, call;
    bool enabled = false;
};
struct view {
    QString state;
    QList<line> lines;
    QList<field> fields;
    QList<button> buttons;
};

namespace detail {

inline QJsonObject resource(const QString &name) {
    QFile file(":/seatlock/" + name);
    file.open(QIODevice::ReadOnly);
    return QJsonDocument::fromJson(file.readAll()).object();
}

/// Each fact has one of its values; "*" stands for any but none.
inline bool holds(const QJsonObject &condition, const facts &known) {
    for (auto fact = condition.begin(); fact != condition.end(); ++fact) {
        const QString value = known.value(fact.key());
        const QJsonArray allowed = fact.value().toArray();
        if (!allowed.contains(value) && (value.isEmpty() || !allowed.contains("*")))
            return false;
    }
    return true;
}

} // namespace detail

/// What the panel shows for these facts, with labels in a language such as "de".
inline view shown(facts known, const QString &language = "en") {
    static const QJsonObject table = detail::resource("table.json");
    static const QJsonObject labels = detail::resource("labels.json");

    const QJsonObject cures = table["cures"].toObject();
    for (auto cure = cures.begin(); cure != cures.end(); ++cure)
        if (cure.value().toArray().contains(known.value("reason")))
            known["cure"] = cure.key();

    view made;
    for (const QJsonValue state : table["states"].toArray()) {
        if (made.state.isEmpty() && detail::holds(state["when"].toObject(), known))
            made.state = state["name"].toString();
    }
    auto rows = [&](const char *kind) {
        QList<QJsonObject> found;
        for (const QJsonValue value : table[QLatin1String(kind)].toArray()) {
            const QJsonObject row = value.toObject();
            if ((!row.contains("in") || row["in"].toArray().contains(made.state)) &&
                !row["not_in"].toArray().contains(made.state) &&
                detail::holds(row["when"].toObject(), known))
                found.append(row);
        }
        return found;
    };
    auto label = [&](const QJsonValue &name) {
        const QJsonObject texts = labels[name.toString()].toObject();
        return texts.value(texts.contains(language) ? language : QString("en")).toString();
    };

    for (const QJsonObject &row : rows("lines")) {
        const QString value = known.value(row["value"].toString());
        if (!value.isEmpty() || !row.contains("value"))
            made.lines.append({row["role"].toString(), label(row["label"]), value});
    }
    for (const QJsonObject &row : rows("fields")) {
        const QString name = row["name"].toString(), kind = row["kind"].toString();
        made.fields.append(
            {name, kind, label(name), kind == "secret" ? QString() : known.value(name)});
    }
    for (const QJsonObject &row : rows("buttons")) {
        const QString name = row["name"].toString();
        made.buttons.append({name, label(name), row["call"].toString(),
                             detail::holds(row["enabled"].toObject(), known)});
    }
    return made;
}

} // namespace seatlock_panel

#endif
