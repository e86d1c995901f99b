// A person before the license dialog: types, ticks and clicks, with a license server.
//
//     clicks GOLDEN.json FOLDER    server and key come as EXAMPLE_SERVER and EXAMPLE_ROOT_KEY, the
//                                  token from standard input; pictures go into the folder
#include "license_dialog.hpp"

#include <QAbstractButton>
#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QElapsedTimer>
#include <QLabel>
#include <QLineEdit>
#include <QtTest/QTest>

#include <iostream>
#include <stdexcept>

namespace {

void check(bool good, const QString &what) {
    if (!good)
        throw std::runtime_error(what.toStdString());
}

// ---- The table --------------------------------------------------------------------------------

QJsonArray as_json(const seatlock_panel::view &view, const char *part) {
    QJsonArray rows;
    if (part == QLatin1String("lines"))
        for (const auto &line : view.lines)
            rows.append(QJsonArray{line.role, line.label, line.value});
    if (part == QLatin1String("fields"))
        for (const auto &field : view.fields)
            rows.append(QJsonArray{field.name, field.kind, field.label, field.value});
    if (part == QLatin1String("buttons"))
        for (const auto &button : view.buttons)
            rows.append(QJsonArray{button.name, button.label, button.call, button.enabled});
    return rows;
}

int golden(const QString &path) {
    QFile file(path);
    check(file.open(QIODevice::ReadOnly), path + " cannot be read");
    const QJsonArray rows = QJsonDocument::fromJson(file.readAll()).array();
    for (const QJsonValue row : rows) {
        seatlock_panel::facts facts;
        const QJsonObject given = row["facts"].toObject();
        for (auto fact = given.begin(); fact != given.end(); ++fact)
            facts[fact.key()] = fact.value().toString();
        const auto view = seatlock_panel::shown(facts, row["language"].toString());
        const QString what = row["what"].toString();
        check(view.state == row["state"].toString(), what + ": " + view.state);
        for (const char *part : {"lines", "fields", "buttons"})
            check(as_json(view, part) == row[QLatin1String(part)].toArray(),
                  what + ": " + part + "\n" +
                      QString::fromUtf8(QJsonDocument(as_json(view, part)).toJson()));
    }
    check(rows.size() > 50, "few rows");
    return rows.size();
}

// ---- A person ---------------------------------------------------------------------------------

class person {
public:
    person(license_dialog &dialog, QString folder) : dialog_(dialog), folder_(std::move(folder)) {}

    template <class Widget> Widget &sees(const QString &name) {
        auto *found = dialog_.findChild<Widget *>(name);
        check(found != nullptr && found->isVisible(), name + " is not shown");
        return *found;
    }
    bool sees_words(const QString &words) {
        for (const QLabel *label : dialog_.findChildren<QLabel *>())
            if (label->isVisible() && label->text().contains(words))
                return true;
        return false;
    }
    void types(const QString &field, const QString &text) {
        auto &edit = sees<QLineEdit>(field);
        QTest::mouseClick(&edit, Qt::LeftButton);
        edit.selectAll();
        QTest::keyClicks(&edit, text);
        check(edit.text() == text && edit.hasFocus(), field + " lost what was typed");
    }
    void ticks(const QString &name) {
        auto &box = sees<QCheckBox>(name);
        QTest::mouseClick(&box, Qt::LeftButton, {}, QPoint(8, box.height() / 2));
    }
    void clicks(const QString &name) {
        auto &button = sees<QAbstractButton>(name);
        check(button.isEnabled(), name + " is not enabled");
        QElapsedTimer time;
        time.start();
        QTest::mouseClick(&button, Qt::LeftButton);
        check(time.elapsed() < 500, name + " has kept the user interface");
    }
    // Until the dialog shows this.
    void waits_for(const QString &state) {
        QElapsedTimer time;
        time.start();
        while (dialog_.objectName() != state && time.elapsed() < 20000)
            QTest::qWait(10);
        check(dialog_.objectName() == state,
              "it shows " + dialog_.objectName() + " instead of " + state);
    }
    void looks(const QString &name) {
        dialog_.grab().save(folder_ + "/qt-" + name + ".png");
    }

private:
    license_dialog &dialog_;
    const QString folder_;
};

seatlock::options settings(const QString &folder) {
    seatlock::options options;
    options.product("com.example.bridge");
    options.server(qEnvironmentVariable("EXAMPLE_SERVER").toStdString());
    options.root_key(qEnvironmentVariable("EXAMPLE_ROOT_KEY").toStdString()).proxy("");
    options.state_folder((folder + "/state").toStdString()).machine_id("a-test-machine-of-ours");
    options.host("qt-example", QT_VERSION_STR).terms("2026-01");
    return options;
}

void story(const QString &folder, const QString &token) {
    license license(settings(folder));
    license_dialog dialog(license);
    dialog.show();
    person somebody(dialog, folder);
    somebody.waits_for("no_token");
    QTest::qWait(100); // the end of the launch ping
    somebody.looks("no-token");

    // Activation is three actions: a token, a tick, a click.
    check(!somebody.sees<QAbstractButton>("activate").isEnabled(), "activate without a token");
    somebody.types("token", token.left(token.size() - 1));
    check(!somebody.sees<QAbstractButton>("activate").isEnabled(), "activate without a tick");
    somebody.ticks("terms");
    somebody.waits_for("entering");
    somebody.clicks("activate");
    check(somebody.sees_words("incomplete or mistyped"), "nothing was said of half a token");
    somebody.looks("half-a-token");
    somebody.types("token", token);
    check(somebody.sees<QLineEdit>("token").echoMode() == QLineEdit::Password, "not masked");
    somebody.looks("entering");
    somebody.clicks("activate");
    check(dialog.objectName() == "asking", "it shows " + dialog.objectName());
    somebody.looks("asking");
    somebody.waits_for("licensed");
    check(license.licensed() && license.entered("token").isEmpty(), "the token is still there");
    somebody.looks("licensed");

    somebody.clicks("copy_report");
    const QString report = QApplication::clipboard()->text();
    check(report.contains("qt-example") && !report.contains(token), "the report: " + report);
    somebody.clicks("copy_computer");
    check(QApplication::clipboard()->text().startsWith("m1_"), "the machine id");

    license.allow_network(false);
    somebody.clicks("to_release");
    somebody.waits_for("releasing");
    check(!somebody.sees<QAbstractButton>("release").isEnabled(), "release without a network");
    somebody.looks("releasing-no-network");
    license.allow_network(true);
    somebody.looks("releasing");
    somebody.clicks("back");
    somebody.waits_for("licensed");
    somebody.clicks("to_release");
    somebody.clicks("release");
    somebody.waits_for("no_token");
    check(!license.licensed(), "licensed after release");
    somebody.looks("released");

    somebody.clicks("to_offline");
    somebody.types("token", token);
    somebody.ticks("terms");
    somebody.types("request_path", folder + "/request.json");
    somebody.looks("offline");
    somebody.clicks("write_request");
    somebody.waits_for("offline");
    check(QFile::exists(folder + "/request.json"), "there is no request file");
    somebody.looks("offline-written");
}

void unavailable(const QString &folder) {
    seatlock::options nothing;
    license license(nothing);
    license_dialog dialog(license);
    dialog.show();
    person somebody(dialog, folder);
    somebody.waits_for("unavailable");
    somebody.looks("unavailable");
}

} // namespace

int main(int count, char **words) {
    QApplication application(count, words);
    try {
        check(count == 3, "usage: clicks GOLDEN.json FOLDER");
        std::string token;
        std::getline(std::cin, token);
        const int rows = golden(words[1]);
        story(words[2], QString::fromStdString(token));
        unavailable(words[2]);
        std::cout << rows << " rows of the table, a seat's life in clicks\n";
        return 0;
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
